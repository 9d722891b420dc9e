import { expect, it } from "vitest";
import { parseAutoencoderConfig } from "./autoencoder-config.ts";
import { autoencoderWorkingBytes, isComputedAtOnce } from "./autoencoder-memory.ts";

const published = parseAutoencoderConfig({ ch: 128, ch_mult: [1, 2, 4, 4], num_res_blocks: 2 }).config;

it("computes published pictures up to 512 x 512 at once, larger ones in bands", () => {
  for (const direction of ["encode", "decode"] as const) {
    expect(isComputedAtOnce(published, direction, [512, 512])).toBe(true);
    expect(isComputedAtOnce(published, direction, [1024, 1024])).toBe(false);
  }
});

it("agrees with what was measured of the published shapes at once", () => {
  expect(autoencoderWorkingBytes(published, "decode", [512, 512]) / 1.048e9).toBeCloseTo(1, 1);
  expect(autoencoderWorkingBytes(published, "decode", [256, 512]) / 0.512e9).toBeCloseTo(1, 1);
  expect(autoencoderWorkingBytes(published, "encode", [512, 512]) / 0.537e9).toBeCloseTo(1, 1);
});

it("takes for blocks of pixels what their smaller copies take", () => {
  const blocks = { ...published, pixelShuffle: 2 };
  for (const direction of ["encode", "decode"] as const) {
    for (const side of [512, 1024]) {
      const whole = autoencoderWorkingBytes(blocks, direction, [2 * side, 2 * side]);
      expect(whole).toBe(autoencoderWorkingBytes(published, direction, [side, side]));
    }
  }
});

it("keeps 1024 x 1024 within 2 GB", () => {
  expect(autoencoderWorkingBytes(published, "decode", [1024, 1024])).toBeLessThan(2e9);
  expect(autoencoderWorkingBytes(published, "encode", [1024, 1024])).toBeLessThan(2e9);
});
