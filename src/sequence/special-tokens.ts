/** @file The tokens that the model adds to its text vocabulary, in the published order (docs/nextstep-spec.md 1.4). */

export const END_OF_TEXT = "<|endoftext|>";
export const PADDING = "[PAD]";
export const IMAGE_AREA = "<|image_area|>";
export const BEGIN_OF_IMAGE = "<|begin_of_image|>";
export const END_OF_IMAGE = "<|end_of_image|>";
export const IMAGE_PLACEHOLDER = "<|image_placeholder|>";
export const BEGIN_OF_REFINEMENT = "<|begin_of_prompt_refinement|>";
export const END_OF_REFINEMENT = "<|end_of_prompt_refinement|>";
export const BEGIN_OF_THINKING = "<|begin_of_thinking|>";
export const END_OF_THINKING = "<|end_of_thinking|>";

/** Published as `additional_special_tokens`; ids follow [PAD]. The last four have no published pipeline behind them. */
export const ADDITIONAL_SPECIAL_TOKENS = [
  IMAGE_AREA,
  BEGIN_OF_IMAGE,
  END_OF_IMAGE,
  IMAGE_PLACEHOLDER,
  BEGIN_OF_REFINEMENT,
  END_OF_REFINEMENT,
  BEGIN_OF_THINKING,
  END_OF_THINKING,
] as const;

/** Ids of the tokens that sequences are built of. Always looked up by name: published tokenizers differ in their ids. */
export interface SpecialIds {
  readonly boi: number;
  readonly eoi: number;
  readonly placeholder: number;
  readonly area: number;
  readonly pad: number;
  readonly eos: number;
  /** null when the tokenizer has no bos_token, as plain Qwen2.5 has none. */
  readonly bos: number | null;
}
