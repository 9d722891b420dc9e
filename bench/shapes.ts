/** @file Named sizes: the published system's and the default model's. Single sizes are overridden by options. */
import type { NextStepConfig } from "../src/model/config.ts";
import { parseNextStepConfig } from "../src/model/config.ts";

const SHAPES = Object.freeze({
  default: {
    hidden: 256,
    intermediate: 704,
    heads: 4,
    "kv-heads": 2,
    "head-dim": 64,
    layers: 8,
    vocab: 2070,
    "head-width": 256,
    "head-layers": 3,
  },
  published: {
    hidden: 5120,
    intermediate: 13_824,
    heads: 40,
    "kv-heads": 8,
    "head-dim": 128,
    layers: 48,
    vocab: 152_064,
    "head-width": 1536,
    "head-layers": 12,
  },
});

export type ShapeName = keyof typeof SHAPES;
export const SHAPE_NAMES = Object.keys(SHAPES) as readonly ShapeName[];
export const SIZE_OPTIONS = Object.keys(SHAPES.default) as readonly (keyof typeof SHAPES.default)[];

/** A model configuration of a named shape with some sizes replaced. */
export function modelOfShape(
  name: ShapeName,
  sizes: Readonly<Record<string, number | undefined>>,
): NextStepConfig {
  const pick = (key: keyof typeof SHAPES.default): number => sizes[key] ?? SHAPES[name][key];
  return parseNextStepConfig(
    {
      hidden_size: pick("hidden"),
      intermediate_size: pick("intermediate"),
      num_attention_heads: pick("heads"),
      num_key_value_heads: pick("kv-heads"),
      head_dim: pick("head-dim"),
      num_hidden_layers: pick("layers"),
      vocab_size: pick("vocab"),
      fm_head_dim: pick("head-width"),
      fm_head_layers: pick("head-layers"),
      rope_theta: 1e6,
      boi: 1,
      eoi: 2,
      image_placeholder_id: 3,
      pad_token_id_added: 0,
    },
    "sizes",
  ).config;
}
