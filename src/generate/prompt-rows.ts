/** @file Joins the rows of prompts with the image tokens that stand in them. */
import type { Prompt, PromptRow } from "../sequence/prompt.ts";
import type { AdapterMix } from "./adapter-mix.ts";
import type { TokenRow } from "./token-feeds.ts";

/** Rows of several prompts; rows with the same content are one object, and are read once. */
export class SharedRows {
  /** Tokens [h * w, 64] of each input image. */
  readonly #images: readonly Float32Array[];
  readonly #made = new Map<string, TokenRow>();

  constructor(images: readonly Float32Array[]) {
    this.#images = images;
  }

  /**
   * One token row for each row of a prompt.
   * @param images which of all images are the prompt's, in its order
   * @param adapters that read it
   */
  of(prompt: Prompt, images: readonly number[], adapters?: AdapterMix): TokenRow[] {
    return prompt.rows.map((row) => this.#row(row, images, adapters));
  }

  #row({ ids, images: spans }: PromptRow, images: readonly number[], adapters?: AdapterMix): TokenRow {
    const placed = spans.map(({ start, image }) => ({ start, image: images[image] as number }));
    const key = JSON.stringify([ids, placed, adapters?.key]);
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const row: TokenRow = {
      ids,
      images: placed.map(({ start, image }) => ({ start, tokens: this.#images[image] as Float32Array })),
      ...(adapters === undefined ? {} : { adapters }),
    };
    this.#made.set(key, row);
    return row;
  }
}

/**
 * One token row for each prompt row; equal prompt rows give the same object.
 * @param images tokens [h * w, 64] of each input image
 */
export function promptTokenRows(prompt: Prompt, images: readonly Float32Array[]): TokenRow[] {
  return new SharedRows(images).of(
    prompt,
    images.map((_, index) => index),
  );
}
