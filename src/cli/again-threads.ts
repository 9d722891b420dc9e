/** @file With how many threads a picture is drawn again. */
import { availableParallelism } from "node:os";
import type { Recipe } from "../generate/recipe.ts";

/** For each processor: a recipe from elsewhere must not fill the machine with threads. */
const MOST_THREADS_EACH = 8;

/** As many as were asked for, or as the picture was drawn with, so that it rounds alike, or the machine's own number. */
export function threadsAgain(
  { threads }: Pick<Recipe, "threads">,
  { threads: asked }: { readonly threads?: number },
): { readonly threads?: number } {
  if (asked !== undefined) return { threads: asked };
  if (threads === undefined || threads > MOST_THREADS_EACH * availableParallelism()) return {};
  return { threads };
}
