/** @file What a recipe says of a picture that was the best of several. It does not change what the recipe draws. */
import { isJsonObject } from "../formats/json-file.ts";
import { isWholeNumber } from "../formats/json-value.ts";
import { MAX_COUNT } from "./draw-options.ts";
import { MAX_SEED } from "./settings.ts";

/** By what a picture may be the best: the lowest loss under its prompt, or the largest part that the prompt explains. */
export const CHOSEN_BY = ["likelihood", "gain"] as const;
export type ChosenBy = (typeof CHOSEN_BY)[number];

export interface RecipeChosen {
  readonly by: ChosenBy;
  /** Pictures of the prompt that were drawn, with seeds behind one another from `firstSeed` on. */
  readonly of: number;
  readonly firstSeed: number;
}

export function isRecipeChosen(value: unknown): value is RecipeChosen {
  return (
    isJsonObject(value) &&
    CHOSEN_BY.some((by) => by === value.by) &&
    isWholeNumber(value.of, 1, MAX_COUNT) &&
    isWholeNumber(value.firstSeed, 0, MAX_SEED)
  );
}
