/** @file Muon takes the hidden convolutions, in place, and nothing else. */
import { afterAll, expect, it } from "vitest";
import { LocalEngine } from "../../runtime/node/local-engine.ts";
import { trainable } from "../optimizer/trainable.ts";
import { autoencoderOptimizer } from "./autoencoder-optimizer.ts";
import { autoencoderTrainConfigSchema } from "./autoencoder-train-config.ts";

const engine = new LocalEngine({ threads: 1 });
afterAll(() => engine[Symbol.asyncDispose]());

it("moves a convolution by an orthogonal matrix and all others as AdamW does", async () => {
  const config = autoencoderTrainConfigSchema.parse({
    output: "o",
    data: "d",
    autoencoder: {},
    phases: [{ crop: 8, batch: 1, steps: 1 }],
    optimizer: { learningRate: 0.1, weightDecay: 0 },
    muon: { learningRate: 0.5, momentum: 0 },
  });
  const shapes = {
    "encoder.conv_in.weight": [4, 3, 3, 3],
    "encoder.mid.block_1.conv1.weight": [4, 4, 3, 3],
    "encoder.mid.block_1.norm1.weight": [4],
  };
  const weights = Object.entries(shapes).map(([name, shape]) =>
    trainable(name, shape, new Float32Array(shape.reduce((a, b) => a * b, 1))),
  );
  for (const { gradient } of weights) gradient.set(gradient.map((_, i) => Math.sin(1 + 7 * i)));
  const optimizer = await autoencoderOptimizer(engine, config, weights);
  expect(optimizer.buffers.filter(({ name }) => name.startsWith("muon")).map(({ name }) => name)).toEqual([
    "muon.momentum/encoder.mid.block_1.conv1.weight",
  ]);
  await optimizer.step({ update: 1, rateFactor: 1, gradientFactor: 1 });
  const [outer, hidden, norm] = weights.map(({ data }) => data);
  // AdamW's first step is the sign of the gradient times the rate.
  for (const data of [outer!, norm!]) {
    for (const value of data) expect(Math.abs(value)).toBeCloseTo(0.1, 3);
  }
  // Rows of an orthogonal matrix have length 1, which five Newton-Schulz steps reach to about 30 %.
  for (let row = 0; row < 4; row++) {
    const length = Math.hypot(...hidden!.subarray(36 * row, 36 * (row + 1)));
    expect(length).toBeGreaterThan(0.3);
    expect(length).toBeLessThan(0.7);
  }
});
