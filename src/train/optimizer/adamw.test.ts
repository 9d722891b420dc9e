/** @file AdamW, grouping and clipping against the reference trainer's stored gradients and parameters. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { openSafetensors } from "../../files/safetensors-files.ts";
import { toFloat32 } from "../../tensor/tensor.ts";
import { adamW } from "./adamw.ts";
import { clippingFactor, gradientNorm } from "./gradient-clipping.ts";
import { type Trainable, trainable } from "./trainable.ts";
import { isDecayed } from "./weight-decay.ts";

const parity = fileURLToPath(new URL("../../../test/parity/", import.meta.url));

describe.each(["train-t2i", "train-edit"])("%s", (name) => {
  it("repeats the norm, the grouping and the first update", async () => {
    const { optimizer, expected, tolerance } = JSON.parse(
      readFileSync(`${parity}cases/${name}.json`, "utf8"),
    );
    const reference = await openSafetensors(`${parity}cases/${name}.safetensors`);
    const model = await openSafetensors(`${parity}models/train/model.safetensors`);
    const names = [...reference.tensors.keys()].filter((key) => key.startsWith("grad."));
    const weights: Trainable[] = [];
    for (const key of names) {
      const parameter = key.slice("grad.".length);
      const stored = await model.readTensor(parameter);
      const weight = trainable(parameter, stored.shape, toFloat32(stored).slice());
      weight.gradient.set(toFloat32(await reference.readTensor(key)));
      weights.push(weight);
    }
    expect(weights.length).toBeGreaterThan(30);
    expect(
      weights
        .filter((w) => isDecayed(w.name))
        .map((w) => w.name)
        .sort(),
    ).toEqual([...optimizer.decayed].sort());

    const norm = gradientNorm(weights);
    expect(norm / expected[0].grad_norm).toBeCloseTo(1, 5);
    const { lr, betas, eps, weight_decay, max_grad_norm } = optimizer;
    const group = (decayed: boolean) => ({
      parameters: weights.filter((weight) => isDecayed(weight.name) === decayed),
      learningRate: lr,
      weightDecay: decayed ? weight_decay : 0,
    });
    await adamW([group(true), group(false)], { betas, epsilon: eps }).step({
      update: 1,
      rateFactor: 1,
      gradientFactor: clippingFactor(norm, max_grad_norm),
    });
    for (const { name: parameter, data } of weights) {
      const after = toFloat32(await reference.readTensor(`after1.${parameter}`));
      const gradient = toFloat32(await reference.readTensor(`grad.${parameter}`));
      for (let i = 0; i < data.length; i++) {
        // The stored file's own rule: a first step divides by |gradient|, so rounding decides tiny ones.
        const limit = Math.abs(gradient[i]!) < 1e-6 ? 2.1 * lr : tolerance.after.atol;
        if (Math.abs(data[i]! - after[i]!) > limit) {
          expect.fail(`${parameter}[${i}]: ${data[i]} instead of ${after[i]}`);
        }
      }
    }
    await reference.close();
    await model.close();
  });
});

describe("adamW", () => {
  it("follows the textbook recurrence in float64 over several steps", async () => {
    const weight = trainable("w", [3], Float32Array.of(0.5, -1, 2));
    const optimizer = adamW([{ parameters: [weight], learningRate: 0.1, weightDecay: 0.05 }], {
      betas: [0.9, 0.95],
      epsilon: 1e-8,
    });
    const p = [0.5, -1, 2];
    const m = [0, 0, 0];
    const v = [0, 0, 0];
    for (let update = 1; update <= 7; update++) {
      const rate = 0.1 * (update / 7);
      for (let i = 0; i < 3; i++) {
        weight.gradient[i] = Math.sin(update + i) * 4;
        const g = Math.sin(update + i) * 4 * 0.25;
        m[i] = 0.9 * m[i]! + 0.1 * g;
        v[i] = 0.95 * v[i]! + 0.05 * g * g;
        const corrected = m[i]! / (1 - 0.9 ** update) / (Math.sqrt(v[i]! / (1 - 0.95 ** update)) + 1e-8);
        p[i] = p[i]! * (1 - rate * 0.05) - rate * corrected;
      }
      await optimizer.step({ update, rateFactor: update / 7, gradientFactor: 0.25 });
    }
    weight.data.forEach((value, i) => {
      expect(value).toBeCloseTo(p[i]!, 5);
    });
    expect(optimizer.buffers.map(({ name }) => name)).toEqual(["adamw.first/w", "adamw.second/w"]);
  });
});

describe("clipping", () => {
  it("measures the norm over all weights and leaves small ones alone", () => {
    const a = trainable("a", [3], new Float32Array(3));
    const b = trainable("b", [5], new Float32Array(5));
    a.gradient.set([1, 2, 2]);
    b.gradient.set([0, 0, 0, 0, 4]);
    expect(gradientNorm([a, b])).toBe(5);
    expect(clippingFactor(5, 1)).toBeCloseTo(0.2, 6);
    expect(clippingFactor(0.5, 1)).toBe(1);
    b.gradient[0] = Number.NaN;
    expect(gradientNorm([a, b])).toBeNaN();
  });
});
