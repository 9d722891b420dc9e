import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ConfigError, UnsupportedError } from "../errors.ts";
import { parseNextStepConfig, publishedRelease, toConfigJson, tokenWidth } from "./config.ts";

const MODELS = new URL("../../test/parity/models/", import.meta.url);

function published(model: string): Record<string, unknown> {
  return JSON.parse(readFileSync(new URL(`${model}/config.json`, MODELS), "utf8"));
}

/** The least that a language model states. */
const MINIMAL = {
  hidden_size: 48,
  num_attention_heads: 6,
  intermediate_size: 100,
  num_hidden_layers: 2,
  vocab_size: 300,
};

describe("parseNextStepConfig", () => {
  it.each(["v1", "v1.1", "train"])("knows every key of the %s layout", (model) => {
    expect(parseNextStepConfig(published(model)).unknownKeys).toEqual([]);
  });

  it("reads the same sizes under the names of each release", () => {
    const sizes = { latentChannels: 16, latentPatchSize: 2, latentSize: 8, headWidth: 96, headLayers: 3 };
    expect(parseNextStepConfig(published("v1")).config).toMatchObject({
      ...sizes,
      generationPositions: true,
    });
    expect(parseNextStepConfig(published("v1.1")).config).toMatchObject({
      ...sizes,
      generationPositions: false,
      headBatchMultiplier: 4,
      imageLossWeight: 1,
      baseGridSize: 4,
    });
    expect(parseNextStepConfig(published("train")).config).toMatchObject({ headWidth: 48, headLayers: 2 });
  });

  it("takes the published defaults for what is not said", () => {
    const { config } = parseNextStepConfig(MINIMAL);
    expect(config).toMatchObject({
      kvHeads: 6,
      headDim: 8,
      rmsNormEps: 1e-6,
      ropeTheta: 10_000,
      latentChannels: 16,
      latentPatchSize: 2,
      latentSize: 32,
      headWidth: 1536,
      headLayers: 12,
      headBatchMultiplier: 4,
      lmLossWeight: 0.01,
      imageLossWeight: 1,
      tieWordEmbeddings: false,
      generationPositions: false,
      boi: 151_667,
      eoi: 151_668,
      placeholder: 151_669,
    });
    expect(tokenWidth(config)).toBe(64);
    // The trainer's class has others.
    expect(parseNextStepConfig({ ...MINIMAL, hw_aspect_ratios_ids: {} }).config).toMatchObject({
      lmLossWeight: 1,
      latentPatchSize: 1,
    });
  });

  it("counts null as not said, and lists keys that it does not know", () => {
    const parsed = parseNextStepConfig({ ...MINIMAL, head_dim: null, zebra: 1, apple: 2 });
    expect(parsed.config.headDim).toBe(8);
    expect(parsed.unknownKeys).toEqual(["apple", "zebra"]);
  });

  it.each([
    [{ hidden_size: "big" }, /hidden_size: expects a whole number from 1, got "big"/],
    [{ hidden_size: 0 }, /hidden_size/],
    [{ num_hidden_layers: 5000 }, /whole number from 1 to 1024/],
    [{ fm_head_dim: 2 ** 27 }, /whole number from 1 to 65536/],
    [{ vocab_size: undefined }, /vocab_size: is missing/],
    [{ num_key_value_heads: 4 }, /6 heads do not share 4 key\/value heads/],
    [{ head_dim: 7 }, /head_dim: must be even/],
    [{ rope_theta: "x" }, /rope_theta/],
    [{ rope_theta: 0 }, /rope_theta: must be above 0/],
    [{ fm_head_mlp_ratio: -1 }, /fm_head_mlp_ratio: -1 leaves/],
    [{ latent_channels: 2 ** 30 }, /latent_channels: .* 1 to 65536/],
    [{ hidden_size: "\u009b2J" }, /got "\\u\{9b\}2J"/],
    [{ boi: -1 }, /boi: expects a token id/],
  ])("refuses %j by name", (change, message) => {
    expect(() => parseNextStepConfig({ ...MINIMAL, ...change })).toThrow(ConfigError);
    expect(() => parseNextStepConfig({ ...MINIMAL, ...change })).toThrow(message);
  });

  it.each([
    { hidden_act: "gelu" },
    { use_sliding_window: true },
    { mlp_bias: true },
    { rope_scaling: { rope_type: "yarn" } },
    { rope_scaling: { type: { toString: 1 } } },
    { layer_types: ["sliding_attention"] },
  ])("refuses another architecture: %j", (change) => {
    expect(() => parseNextStepConfig({ ...MINIMAL, ...change })).toThrow(UnsupportedError);
  });

  it("refuses what is no object", () => {
    for (const json of [null, [], 3, "x"])
      expect(() => parseNextStepConfig(json)).toThrow(/not a JSON object/);
  });
});

describe("toConfigJson", () => {
  it.each(["v1", "v1.1", "train"])("is read back as the same configuration (%s)", (model) => {
    const { config } = parseNextStepConfig(published(model));
    const again = parseNextStepConfig(JSON.parse(JSON.stringify(toConfigJson(config))));
    expect(again).toEqual({ config, unknownKeys: [] });
  });
});

describe("publishedRelease", () => {
  it("goes by the names of the sizes", () => {
    expect(publishedRelease(published("v1"))).toBe("v1");
    expect(publishedRelease(published("v1.1"))).toBe("v1.1");
    expect(publishedRelease(published("train"))).toBe("v1.1");
    expect(publishedRelease(MINIMAL)).toBe("v1.1");
    expect(publishedRelease({ latent_size: 32, image_size: 32 })).toBe("v1.1");
    expect(publishedRelease(undefined)).toBe("v1.1");
  });
});
