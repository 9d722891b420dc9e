import { describe, expect, it } from "vitest";
import { ConfigError } from "../errors.ts";
import { parseAutoencoderConfig, pixelsPerLatent, toAutoencoderJson } from "./autoencoder-config.ts";

describe("parseAutoencoderConfig", () => {
  it("takes the defaults of the release that reads the file", () => {
    const first = parseAutoencoderConfig({}, "x", "v1").config;
    const later = parseAutoencoderConfig({}, "x", "v1.1").config;
    const common = { channels: 128, multipliers: [1, 2, 4, 4], blocks: 2, latentChannels: 16, groups: 32 };
    expect(first).toMatchObject({ ...common, scalingFactor: 0.3611, shiftFactor: 0.1159 });
    expect(first).toMatchObject({ deterministic: false, encoderNorm: false, patchSize: undefined });
    expect(later).toMatchObject({ ...common, scalingFactor: 1, shiftFactor: 0 });
    expect(later).toMatchObject({ deterministic: true, encoderNorm: true, patchSize: 1 });
    expect(pixelsPerLatent(first)).toBe(8);
    expect(pixelsPerLatent({ ...first, pixelShuffle: 2 })).toBe(16);
  });

  it("normalises single latent pixels without a patch size in the first release only", () => {
    const json = { psz: null, encoder_norm: true };
    expect(parseAutoencoderConfig(json, "x", "v1").config.encoderNorm).toBe(true);
    expect(parseAutoencoderConfig(json, "x", "v1.1").config.encoderNorm).toBe(false);
  });

  it("lists unknown keys, which have no effect", () => {
    expect(parseAutoencoderConfig({ sample_size: 512, mystery: 1 }).unknownKeys).toEqual(["mystery"]);
  });

  it.each([
    [{ ch: 30 }, /30 x 1 channels do not divide into 32 groups/],
    [{ ch_mult: [] }, /ch_mult/],
    [{ ch_mult: [1, "2"] }, /ch_mult/],
    [{ psz: 1.5 }, /psz/],
    [{ scaling_factor: 0 }, /scaling_factor: must not be 0/],
    [{ num_res_blocks: 1e9 }, /num_res_blocks/],
    [{ num_res_blocks: 1000 }, /1000 blocks on each of 4 levels are more than 1024/],
    [{ pixel_shuffle: 0 }, /pixel_shuffle: .* 1 to 8/],
    [{ pixel_shuffle: 9 }, /pixel_shuffle: .* 1 to 8/],
    [{ z_channels: 9_007_199 }, /z_channels: .* 1 to 65536/],
  ])("refuses %j by name", (json, message) => {
    expect(() => parseAutoencoderConfig(json)).toThrow(ConfigError);
    expect(() => parseAutoencoderConfig(json)).toThrow(message);
  });
});

describe("toAutoencoderJson", () => {
  it.each([
    {},
    { psz: 2, ch: 64, num_groups: 16 },
    { psz: null },
    { pixel_shuffle: 2 },
    { encoder_norm: false, psz: null, shift_factor: 0.05 },
  ])("is read back as the same configuration: %j", (json) => {
    const { config } = parseAutoencoderConfig(json);
    expect(parseAutoencoderConfig(toAutoencoderJson(config))).toEqual({ config, unknownKeys: [] });
  });

  it("says nothing of groups and blocks of pixels where they are as published", () => {
    const json = toAutoencoderJson(parseAutoencoderConfig({}).config);
    expect(json).not.toHaveProperty("num_groups");
    expect(json).not.toHaveProperty("pixel_shuffle");
  });
});
