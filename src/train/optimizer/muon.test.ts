/** @file Muon against plain loops in float64. */
import { describe, expect, it } from "vitest";
import { LocalEngine } from "../../runtime/node/local-engine.ts";
import { CounterRng } from "../../tensor/counter-rng.ts";
import { muon } from "./muon.ts";
import { type Trainable, trainable } from "./trainable.ts";

type Matrix = number[][];

const transpose = (a: Matrix): Matrix => a[0]!.map((_, j) => a.map((row) => row[j]!));
const product = (a: Matrix, b: Matrix): Matrix =>
  a.map((row) => b[0]!.map((_, j) => row.reduce((sum, x, k) => sum + x * b[k]![j]!, 0)));
const combine = (x: number, a: Matrix, y: number, b: Matrix): Matrix =>
  a.map((row, i) => row.map((value, j) => x * value + y * b[i]![j]!));

/** Newton-Schulz as written in the literature. */
function newtonSchulz(g: Matrix): Matrix {
  if (g.length > g[0]!.length) return transpose(newtonSchulz(transpose(g)));
  const norm = Math.sqrt(g.flat().reduce((sum, x) => sum + x * x, 0));
  let x = g.map((row) => row.map((value) => value / (norm + 1e-7)));
  for (let i = 0; i < 5; i++) {
    const a = product(x, transpose(x));
    x = combine(3.4445, x, 1, product(combine(-4.775, a, 2.0315, product(a, a)), x));
  }
  return x;
}

function matrixOf({ shape, data }: { shape: readonly number[]; data: Float32Array }): Matrix {
  const [rows, columns] = shape as [number, number];
  return Array.from({ length: rows }, (_, i) => [...data.subarray(i * columns, (i + 1) * columns)]);
}

function randomWeight(name: string, shape: readonly number[], seed: number): Trainable {
  const rng = new CounterRng(seed);
  return trainable(name, shape, rng.fillNormal(new Float32Array(shape.reduce((a, b) => a * b, 1))));
}

describe("muon", () => {
  it("moves wide, tall and square matrices as the loops say", async () => {
    await using engine = new LocalEngine({ threads: 1, spin: false });
    const weights = [
      randomWeight("wide", [4, 9], 1),
      randomWeight("wide2", [4, 9], 2),
      randomWeight("tall", [10, 3], 3),
      randomWeight("square", [5, 5], 4),
    ];
    const group = { parameters: weights, learningRate: 0.02, weightDecay: 0.1 };
    const optimizer = await muon(engine, [group], { momentum: 0.95 });
    expect(optimizer.buffers.map(({ name }) => name).sort()).toEqual(
      weights.map(({ name }) => `muon.momentum/${name}`).sort(),
    );
    const expected = weights.map(matrixOf);
    const velocities = expected.map((matrix) => matrix.map((row) => row.map(() => 0)));
    for (let update = 1; update <= 3; update++) {
      weights.forEach((weight, index) => {
        new CounterRng(100 * update + index).fillNormal(weight.gradient);
        const gradient = matrixOf({ shape: weight.shape, data: weight.gradient });
        const clipped = combine(0.5, gradient, 0, gradient);
        const velocity = combine(0.95, velocities[index]!, 0.05, clipped);
        velocities[index] = velocity;
        const direction = newtonSchulz(combine(0.95, velocity, 0.05, clipped));
        const [rows, columns] = weight.shape as [number, number];
        const stretch = Math.sqrt(Math.max(1, rows / columns));
        expected[index] = combine(1 - 0.02 * 0.1, expected[index]!, -0.02 * stretch, direction);
      });
      await optimizer.step({ update, rateFactor: 1, gradientFactor: 0.5 });
    }
    weights.forEach((weight, index) => {
      const matrix = matrixOf(weight).flat();
      expected[index]!.flat().forEach((value, i) => {
        // float32 products through five quintic steps.
        expect(Math.abs(matrix[i]! - value)).toBeLessThan(1e-4);
      });
    });
  });

  it("turns every direction to about unit length", async () => {
    await using engine = new LocalEngine({ threads: 1, spin: false });
    const weight = trainable("w", [6, 12], new Float32Array(72));
    const optimizer = await muon(engine, [{ parameters: [weight], learningRate: 1, weightDecay: 0 }], {
      momentum: 0,
    });
    new CounterRng(7).fillNormal(weight.gradient);
    await optimizer.step({ update: 1, rateFactor: 1, gradientFactor: 1 });
    const moved = matrixOf(weight);
    const gram = product(moved, transpose(moved));
    // Singular values lie within about 0.7 to 1.2: so do the diagonal's roots.
    gram.forEach((row, i) => {
      expect(Math.sqrt(row[i]!)).toBeGreaterThan(0.6);
      expect(Math.sqrt(row[i]!)).toBeLessThan(1.3);
    });
  });

  it("does not move for a gradient of zeros", async () => {
    await using engine = new LocalEngine({ threads: 1, spin: false });
    const weight = trainable("w", [2, 2], Float32Array.of(1, 2, 3, 4));
    const optimizer = await muon(engine, [{ parameters: [weight], learningRate: 1, weightDecay: 0 }], {
      momentum: 0.9,
    });
    await optimizer.step({ update: 1, rateFactor: 1, gradientFactor: 1 });
    expect([...weight.data]).toEqual([1, 2, 3, 4]);
  });

  it("refuses what is no matrix", async () => {
    await using engine = new LocalEngine({ threads: 1, spin: false });
    const group = { parameters: [randomWeight("bias", [4], 1)], learningRate: 1, weightDecay: 0 };
    await expect(muon(engine, [group], { momentum: 0.9 })).rejects.toThrow(/muon, bias: \[4\] is no matrix/);
  });
});
