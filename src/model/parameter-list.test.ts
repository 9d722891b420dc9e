import { describe, expect, it } from "vitest";
import { parseAutoencoderConfig } from "./autoencoder-config.ts";
import { parseNextStepConfig } from "./config.ts";
import { autoencoderParameters, modelParameters } from "./parameter-list.ts";
import type { ParameterSpec } from "./parameter-scope.ts";

/** NextStep-1 at its published size (docs/nextstep-spec.md 1.3). */
const PUBLISHED = {
  hidden_size: 5120,
  intermediate_size: 13824,
  num_hidden_layers: 48,
  num_attention_heads: 40,
  num_key_value_heads: 8,
  head_dim: 128,
  vocab_size: 152064,
  attention_bias: true,
  o_attention_bias: false,
};

function count(list: readonly ParameterSpec[], names = /./): number {
  return list
    .filter(({ name }) => names.test(name))
    .reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
}

describe("modelParameters", () => {
  const list = modelParameters(parseNextStepConfig(PUBLISHED).config);

  it("counts what the published model has (docs/nextstep-spec.md 1.5)", () => {
    expect(count(list, /^layers\.0\./)).toBe(275_268_608);
    expect(count(list, /^(layers|norm)\./)).toBe(13_212_898_304);
    expect(count(list, /^embed_tokens/)).toBe(778_567_680);
    expect(count(list, /^image_head/)).toBe(157_228_096);
    expect(count(list)).toBe(14_953_814_080);
  });

  it("names and shapes them as published", () => {
    const shapes = new Map(list.map(({ name, shape }) => [name, shape.join()]));
    expect(shapes.size).toBe(list.length);
    expect(shapes.get("layers.47.self_attn.k_proj.weight")).toBe("1024,5120");
    expect(shapes.get("layers.0.self_attn.v_proj.bias")).toBe("1024");
    expect(shapes.get("layers.0.self_attn.o_proj.bias")).toBeUndefined();
    expect(shapes.get("layers.0.mlp.down_proj.weight")).toBe("5120,13824");
    expect(shapes.get("image_in_projector.weight")).toBe("5120,64");
    expect(shapes.get("image_head.net.time_embed.mlp.0.weight")).toBe("1536,256");
    expect(shapes.get("image_head.net.res_blocks.11.adaLN_modulation.1.weight")).toBe("4608,1536");
    expect(shapes.get("image_head.net.final_layer.adaLN_modulation.1.bias")).toBe("3072");
    expect(shapes.get("image_head.net.final_layer.linear.weight")).toBe("64,1536");
  });

  it("follows the options of a configuration", () => {
    const { config } = parseNextStepConfig({ ...PUBLISHED, num_hidden_layers: 1, fm_head_layers: 1 });
    const names = (change: object): Set<string> =>
      new Set(modelParameters({ ...config, ...change }).map(({ name }) => name));
    expect(names({ outputBias: true })).toContain("layers.0.self_attn.o_proj.bias");
    expect(names({ attentionBias: false })).not.toContain("layers.0.self_attn.q_proj.bias");
    expect(names({ tieWordEmbeddings: true })).not.toContain("lm_head.weight");
    expect(names({ mlpBeforeLmHead: true })).toContain("before_lm_head.bias");
  });
});

describe("autoencoderParameters", () => {
  it("counts what the published autoencoder has (docs/nextstep-spec.md 1.6)", () => {
    const list = autoencoderParameters(parseAutoencoderConfig({ psz: 2 }).config);
    expect(count(list, /^encoder\./)).toBe(34_274_208);
    expect(count(list, /^decoder\./)).toBe(49_545_475);
    expect(count(list)).toBe(83_819_683);
    const names = list.map(({ name }) => name);
    expect(names).toContain("encoder.down.1.block.0.nin_shortcut.weight");
    expect(names).toContain("decoder.up.3.upsample.conv.bias");
    expect(names).not.toContain("decoder.up.0.upsample.conv.bias");
    expect(names).not.toContain("encoder.down.3.downsample.conv.weight");
  });
});
