/** @file The recipe in a picture that came with a request. */
import { nodeZlib } from "../../files/zlib.ts";
import { findPngText, readPngTexts } from "../../formats/png-text.ts";
import { parseRecipe, RECIPE_KEYWORD, type Recipe } from "../../generate/recipe.ts";
import { pictureFormat } from "../../image/picture-format.ts";

/** The recipe in a PNG that was drawn by this program; null where there is none, or none that can be read. */
export async function recipeIn(bytes: Uint8Array): Promise<Recipe | null> {
  if (pictureFormat(bytes) !== "PNG") return null;
  try {
    const text = findPngText(await readPngTexts(bytes, nodeZlib), RECIPE_KEYWORD);
    return text === undefined ? null : parseRecipe(text, "recipe");
  } catch {
    return null;
  }
}
