/** @file Which matrices a conversion puts into which blocks. Measured in docs/measurements.md. */
import type { ParameterSpec } from "../../model/parameter-scope.ts";
import type { BlockFormat } from "../../model/weight-format.ts";
import { type FormatTable, matchesPattern } from "./nextstep-layout.ts";

/** Bits to which a conversion rounds the layers. */
export const CONVERSION_BITS = [4, 8] as const;
export type ConversionBits = (typeof CONVERSION_BITS)[number];

/** The matrices of the layers: nearly all of the model, each read once a token. */
const LAYERS = [
  "layers.*.self_attn.q_proj.weight",
  "layers.*.self_attn.k_proj.weight",
  "layers.*.self_attn.v_proj.weight",
  "layers.*.self_attn.o_proj.weight",
  "layers.*.mlp.gate_proj.weight",
  "layers.*.mlp.up_proj.weight",
  "layers.*.mlp.down_proj.weight",
] as const;

/**
 * Matrices that keep 8 bits: the tables of the vocabulary, of which a token reads one row or which only text needs, and
 * the image head, which runs at every solver step, so that its errors add up in the token itself.
 */
const SENSITIVE = [
  "embed_tokens.weight",
  "before_lm_head.weight",
  "lm_head.weight",
  "image_out_projector.weight",
  "image_head.net.cond_embed.weight",
  "image_head.net.time_embed.mlp.2.weight",
  "image_head.net.res_blocks.*.mlp.0.weight",
  "image_head.net.res_blocks.*.mlp.2.weight",
  "image_head.net.res_blocks.*.adaLN_modulation.1.weight",
  "image_head.net.final_layer.adaLN_modulation.1.weight",
] as const;

/** Of the layers. */
const LAYER_BLOCKS: Pick<BlockFormat, "blockSize" | "symmetric"> = { blockSize: 64, symmetric: false };
const SENSITIVE_FORMAT: BlockFormat = { bits: 8, blockSize: 64, symmetric: false };

/**
 * Formats by pattern, of the patterns that name a weight of the model. What none names stays as it is: norms, biases, and
 * the matrices at image tokens (`image_in_projector`, `input_proj`, `final_layer.linear`) and time features, which are
 * small and stand where numbers enter and leave.
 * @param blocks of the layers.
 */
export function conversionFormats(
  bits: ConversionBits,
  parameters: readonly ParameterSpec[],
  blocks: Pick<BlockFormat, "blockSize" | "symmetric"> = LAYER_BLOCKS,
): FormatTable {
  const layers: BlockFormat = { bits, ...blocks };
  const formats = [
    ...LAYERS.map((pattern) => [pattern, layers] as const),
    ...SENSITIVE.map((pattern) => [pattern, SENSITIVE_FORMAT] as const),
  ];
  return Object.fromEntries(
    formats.filter(([pattern]) => parameters.some(({ name }) => matchesPattern(name, pattern))),
  );
}

/** The format that a table gives a weight; undefined when it stays as it is. */
export function formatOf(name: string, formats: FormatTable): BlockFormat | undefined {
  return Object.entries(formats).find(([pattern]) => matchesPattern(name, pattern))?.[1];
}
