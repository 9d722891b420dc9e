/** @file What a recipe says of a picture that was the best of several. It does not change what the recipe draws. */
import { isJsonObject } from "../formats/json-file.ts";
import { isWholeNumber } from "../formats/json-value.ts";
import { MAX_COUNT } from "./draw-options.ts";
import { MAX_SEED } from "./settings.ts";

/** By what a picture may be the best: the lowest loss under its prompt, or the largest part that the prompt explains. */
export const CHOSEN_BY = ["likelihood", "gain"] as const;
export type ChosenBy = (typeof CHOSEN_BY)[number];

/** Names of rewards: words of small letters, with hyphens between them. */
const NAME = /^[a-z]+(?:-[a-z]+)*$/;
const MAX_NAME = 32;

export interface RecipeChosen {
  /** One of {@link CHOSEN_BY}, or the name of a reward that others gave. */
  readonly by: string;
  /** Pictures of the prompt that were drawn, with seeds behind one another from `firstSeed` on. */
  readonly of: number;
  readonly firstSeed: number;
}

export function isRecipeChosen(value: unknown): value is RecipeChosen {
  return (
    isJsonObject(value) &&
    isChooserName(value.by) &&
    isWholeNumber(value.of, 1, MAX_COUNT) &&
    isWholeNumber(value.firstSeed, 0, MAX_SEED)
  );
}

/** What a recipe may name as that by which its picture was the best. */
export function isChooserName(value: unknown): value is string {
  return typeof value === "string" && value.length <= MAX_NAME && NAME.test(value);
}
