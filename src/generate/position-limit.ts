/** @file How much a model can read at all, said before anything of it is loaded. */
import { InputError } from "../errors.ts";
import type { NextStepConfig } from "../model/config.ts";
import { placesOf, type TokenRow } from "./token-feeds.ts";

/**
 * @param rows each with the ids of its prompt
 * @param cells image tokens that are drawn behind them
 * @param thought tokens that the model may write between the two
 * @throws InputError with the numbers when they are more than the model has positions.
 */
export function checkPositions(
  rows: readonly Pick<TokenRow, "ids" | "position">[],
  cells: number,
  { maxPositions }: Pick<NextStepConfig, "maxPositions">,
  where: string,
  thought = 0,
): void {
  // The last token drawn is not read.
  const drawn = thought + Math.max(0, cells - 1);
  const prompt = rows.reduce((most, row) => Math.max(most, placesOf(row)), 0);
  if (prompt + drawn <= maxPositions) return;
  const parts = [`${prompt} tokens of the prompt`, ...(thought > 0 ? [`${thought} of a thought`] : [])];
  throw new InputError(
    `${parts.join(", ")} and ${cells} of the picture are more than the model's ${maxPositions} positions`,
    {
      where,
      remedy: `use a shorter prompt${thought > 0 ? ", a shorter thought" : ""} or a smaller picture`,
    },
  );
}

/** Text so long that it cannot fit, however it is tokenised: no token is longer than the longest one. */
export function checkTextLength(
  text: string,
  longestToken: number,
  { maxPositions }: Pick<NextStepConfig, "maxPositions">,
  where: string,
): void {
  // A token holds bytes; a UTF-16 unit is one byte at least, and normalisation joins a few at most.
  const most = maxPositions * longestToken * MOST_JOINED;
  if (text.length <= most) return;
  throw new InputError(
    `${text.length} characters are more than fit into the model's ${maxPositions} positions`,
    {
      where,
      remedy: "use a shorter prompt",
    },
  );
}

/** Characters that NFC makes one of. */
const MOST_JOINED = 4;
