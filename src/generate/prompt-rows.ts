/** @file Joins the rows of a prompt with the image tokens that stand in them. */
import type { Prompt, PromptRow } from "../sequence/prompt.ts";
import type { TokenRow } from "./token-feeds.ts";

/**
 * One token row for each prompt row; equal prompt rows give the same object.
 * @param images tokens [h * w, 64] of each input image
 */
export function promptTokenRows(prompt: Prompt, images: readonly Float32Array[]): TokenRow[] {
  const made = new Map<PromptRow, TokenRow>();
  return prompt.rows.map((row) => {
    const known = made.get(row);
    if (known !== undefined) return known;
    const placed = row.images.map(({ start, image }) => ({ start, tokens: images[image] as Float32Array }));
    const tokens: TokenRow = { ids: row.ids, images: placed };
    made.set(row, tokens);
    return tokens;
  });
}
