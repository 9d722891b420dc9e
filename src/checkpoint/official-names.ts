/** @file Other people's tensor names, read as the official ones (docs/nextstep-spec.md 1.5 and 1.6). */
import type { StoredTensor } from "../formats/tensor-source.ts";
import type { OfficialName } from "./tensor-set.ts";

/** Language model checkpoints put their layers under `model.`, the published image models do not. */
export function officialModelName(storedName: string): OfficialName {
  return { name: storedName.startsWith("model.") ? storedName.slice("model.".length) : storedName };
}

/** Diffusers' part names and the official ones, longest context first where one contains another. */
const DIFFUSERS_PARTS: readonly (readonly [RegExp, string])[] = [
  [/\.mid_block\.resnets\.0\./, ".mid.block_1."],
  [/\.mid_block\.resnets\.1\./, ".mid.block_2."],
  [/\.mid_block\.attentions\.0\.group_norm\./, ".mid.attn_1.norm."],
  [/\.mid_block\.attentions\.0\.to_q\./, ".mid.attn_1.q."],
  [/\.mid_block\.attentions\.0\.to_k\./, ".mid.attn_1.k."],
  [/\.mid_block\.attentions\.0\.to_v\./, ".mid.attn_1.v."],
  [/\.mid_block\.attentions\.0\.to_out\.0\./, ".mid.attn_1.proj_out."],
  [/\.conv_norm_out\./, ".norm_out."],
  [/\.conv_shortcut\./, ".nin_shortcut."],
  [/\.down_blocks\./, ".down."],
  [/\.downsamplers\.0\./, ".downsample."],
  [/\.upsamplers\.0\./, ".upsample."],
  [/\.resnets\./, ".block."],
];

const ATTENTION_MATRIX = /\.mid\.attn_1\.(?:q|k|v|proj_out)\.weight$/;

/**
 * Autoencoder tensors under diffusers' names: decoder levels count the other way, and the 1 x 1 convolutions of the
 * attention are matrices there. Official names pass unchanged.
 * @param levels number of resolution levels, length of `ch_mult`.
 */
export function officialAutoencoderName(
  storedName: string,
  stored: Pick<StoredTensor, "shape">,
  levels: number,
): OfficialName {
  let name = storedName.replace(
    /\.up_blocks\.(\d+)\./,
    (_, block: string) => `.up.${levels - 1 - Number(block)}.`,
  );
  for (const [pattern, official] of DIFFUSERS_PARTS) name = name.replace(pattern, official);
  const isMatrix = ATTENTION_MATRIX.test(name) && stored.shape.length === 2;
  return isMatrix ? { name, shape: [...stored.shape, 1, 1] } : { name };
}
