/** @file The reconstruction loss against plain loops. */
import { expect, it } from "vitest";
import { writeOnnx } from "../../graph/onnx-writer.ts";
import { input } from "../../graph/value.ts";
import { LocalEngine } from "../../runtime/node/local-engine.ts";
import { CounterRng } from "../../tensor/counter-rng.ts";
import { reconstructionLoss } from "./autoencoder-loss.ts";

const SHAPE = [2, 3, 8, 12] as const;

/** All terms in float64, written out one by one. */
function lossByLoops(x: Float32Array, y: Float32Array): number {
  const [pictures, channels, height, width] = SHAPE;
  const planes = pictures * channels;
  const mean = (values: number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  const error = Array.from(x, (value, i) => value - y[i]!);
  const at = (plane: number, i: number, j: number) => error[(plane * height + i) * width + j]!;
  const vertical: number[] = [];
  const horizontal: number[] = [];
  const averages = (block: number): number[] => {
    const values: number[] = [];
    for (let p = 0; p < planes; p++) {
      for (let i = 0; i < height; i += block) {
        for (let j = 0; j < width; j += block) {
          let sum = 0;
          for (let a = 0; a < block; a++) for (let b = 0; b < block; b++) sum += at(p, i + a, j + b);
          values.push(Math.abs(sum / block ** 2));
        }
      }
    }
    return values;
  };
  for (let p = 0; p < planes; p++) {
    for (let i = 0; i < height; i++) {
      for (let j = 0; j < width; j++) {
        if (i > 0) vertical.push(Math.abs(at(p, i, j) - at(p, i - 1, j)));
        if (j > 0) horizontal.push(Math.abs(at(p, i, j) - at(p, i, j - 1)));
      }
    }
  }
  return (
    mean(error.map(Math.abs)) +
    mean(error.map((e) => e * e)) +
    0.5 * (mean(vertical) + mean(horizontal)) +
    0.25 * (mean(averages(2)) + mean(averages(4)))
  );
}

it("adds values, squares, differences and smaller copies", async () => {
  const rng = new CounterRng(5);
  const draw = () => rng.fillNormal(new Float32Array(SHAPE.reduce((a, b) => a * b, 1)));
  const [x, y] = [draw(), draw()];
  const shape = ["n", 3, 8, 12];
  const { loss, meanSquare } = reconstructionLoss(input("x", "float32", shape), input("y", "float32", shape));
  await using engine = new LocalEngine({ threads: 1, spin: false });
  const session = await engine.createSession(writeOnnx({ loss, meanSquare }, { parameters: "inputs" }));
  const feed = (data: Float32Array) => ({ dtype: "float32" as const, shape: SHAPE, data });
  const result = await session.run({ x: feed(x), y: feed(y) });
  expect(result.loss!.data[0]).toBeCloseTo(lossByLoops(x, y), 5);
  const square = x.reduce((sum, value, i) => sum + (value - y[i]!) ** 2, 0) / x.length;
  expect(result.meanSquare!.data[0]).toBeCloseTo(square, 5);
});

it("weighs differences between channels on smaller copies", async () => {
  const shape = [1, 3, 8, 8];
  const [x, y] = [input("x", "float32", shape), input("y", "float32", shape)];
  const plain = reconstructionLoss(x, y).loss;
  const coloured = reconstructionLoss(x, y, { chroma: 2 }).loss;
  await using engine = new LocalEngine({ threads: 1, spin: false });
  const session = await engine.createSession(writeOnnx({ plain, coloured }, { parameters: "inputs" }));
  // Constant errors of 0.1, 0.2 and 0.5: at both sizes the differences are 0.1, 0.3 and 0.4.
  const data = Float32Array.from({ length: 192 }, (_, i) => [0.1, 0.2, 0.5][Math.floor(i / 64)]!);
  const feed = (values: Float32Array) => ({ dtype: "float32" as const, shape, data: values });
  const result = await session.run({ x: feed(data), y: feed(new Float32Array(192)) });
  const difference = Number(result.coloured!.data[0]) - Number(result.plain!.data[0]);
  expect(difference).toBeCloseTo((2 * 2 * 0.8) / 3, 5);
});
