/** @file First weights: ranges, and dependence on seed and name alone. */
import { expect, it } from "vitest";
import { initialAutoencoderWeights } from "./autoencoder-start-weights.ts";

const SPECS = [
  { name: "encoder.conv_in.weight", shape: [8, 3, 3, 3] },
  { name: "encoder.conv_in.bias", shape: [8] },
  { name: "encoder.norm_out.weight", shape: [8] },
  { name: "encoder.norm_out.bias", shape: [8] },
];

it("draws convolutions and their biases uniformly, leaves norms neutral", () => {
  const [weight, bias, scale, offset] = initialAutoencoderWeights(SPECS, 1).map(({ data }) => data);
  const bound = 1 / Math.sqrt(27);
  for (const values of [weight!, bias!]) {
    expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(bound);
    expect(Math.max(...values)).toBeGreaterThan(0.3 * bound);
    expect(Math.min(...values)).toBeLessThan(-0.3 * bound);
  }
  expect(new Set(scale)).toEqual(new Set([1]));
  expect(new Set(offset)).toEqual(new Set([0]));
});

it("does not depend on which other weights there are", () => {
  const all = initialAutoencoderWeights(SPECS, 3);
  const some = initialAutoencoderWeights(SPECS.slice(0, 2).reverse(), 3);
  expect(some[1]!.data).toEqual(all[0]!.data);
  expect(initialAutoencoderWeights(SPECS, 4)[0]!.data).not.toEqual(all[0]!.data);
});
