/** @file The recipe in a picture that came with a request. */
import sharp from "sharp";
import { nodeZlib } from "../../files/zlib.ts";
import { decodeExif } from "../../formats/exif.ts";
import { findPngText, readPngTexts } from "../../formats/png-text.ts";
import { parseRecipe, RECIPE_KEYWORD, type Recipe } from "../../generate/recipe.ts";
import { pictureFormat } from "../../image/picture-format.ts";

/** The recipe in a file that was drawn by this program; null where there is none, or none that can be read. */
export async function recipeIn(bytes: Uint8Array): Promise<Recipe | null> {
  try {
    const text = await recipeText(bytes);
    return text === undefined ? null : parseRecipe(text, "recipe");
  } catch {
    return null;
  }
}

async function recipeText(bytes: Uint8Array): Promise<string | undefined> {
  if (pictureFormat(bytes) === "PNG") {
    return findPngText(await readPngTexts(bytes, nodeZlib), RECIPE_KEYWORD);
  }
  // The header alone is read.
  const { exif } = await sharp(bytes, { limitInputPixels: false }).metadata();
  return exif === undefined ? undefined : decodeExif(exif).description;
}
