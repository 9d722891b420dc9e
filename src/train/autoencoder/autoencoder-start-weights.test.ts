/** @file First weights: ranges, and dependence on seed and name alone. */
import { expect, it } from "vitest";
import { parseAutoencoderConfig } from "../../model/autoencoder-config.ts";
import { autoencoderParameters } from "../../model/parameter-list.ts";
import { LocalEngine } from "../../runtime/node/local-engine.ts";
import { forBlocks, initialAutoencoderWeights } from "./autoencoder-start-weights.ts";
import { Reconstructor } from "./autoencoder-validation.ts";

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

it("makes weights for blocks of pixels that do to a picture what the others do to its smaller copy", async () => {
  const json = { ch: 8, ch_mult: [1, 1], num_res_blocks: 1, z_channels: 4, psz: 2, num_groups: 4 };
  const { config } = parseAutoencoderConfig(json);
  const blocks = { ...config, pixelShuffle: 2 };
  const weights = initialAutoencoderWeights(autoencoderParameters(config), 7);
  const widened = weights.map((weight) => forBlocks(weight, 2));
  expect(widened.map(({ name, shape }) => ({ name, shape }))).toEqual(autoencoderParameters(blocks));
  const side = 8;
  const data = Uint8Array.from({ length: 3 * side ** 2 }, (_, i) => (i * 89) % 251);
  const doubled = Uint8Array.from({ length: 12 * side ** 2 }, (_, i) => {
    const [row, column] = [Math.floor(i / 6 / side), Math.floor(i / 3) % (2 * side)];
    return data[(Math.floor(row / 2) * side + Math.floor(column / 2)) * 3 + (i % 3)]!;
  });
  await using engine = new LocalEngine({ threads: 1 });
  const small = await Reconstructor.create(engine, config, side);
  const [[picture]] = (await small.reconstruct([{ width: side, height: side, data }], [0], weights)) as [
    Float32Array[],
  ];
  const large = await Reconstructor.create(engine, blocks, 2 * side);
  const given = { width: 2 * side, height: 2 * side, data: doubled };
  const [[found]] = (await large.reconstruct([given], [0], widened)) as [Float32Array[]];
  found!.forEach((value, i) => {
    const [plane, row, column] = [
      Math.floor(i / (2 * side) ** 2),
      Math.floor(i / (2 * side)) % (2 * side),
      i % (2 * side),
    ];
    const same = picture![(plane * side + Math.floor(row / 2)) * side + Math.floor(column / 2)]!;
    expect(value).toBeCloseTo(same, 4);
  });
});
