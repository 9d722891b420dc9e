/** @file What a picture file holds: it is decoded as drawing would, and a PNG's texts are read. */
import { ModelFormatError } from "../errors.ts";
import { PARAMETERS_KEYWORD, parseParameters } from "../formats/a1111.ts";
import { isPng } from "../formats/png.ts";
import { findPngText, RECIPE_KEYWORD, readPngTexts } from "../formats/png-text.ts";
import { readDigitalSourceType, XMP_KEYWORD } from "../formats/xmp.ts";
import type { Zlib } from "../formats/zlib.ts";
import type { PictureFormat } from "../image/picture-format.ts";
import type { PictureInspection } from "./inspection.ts";

export interface PictureReaders {
  /** Decodes a picture within the bounds of drawing. Throws typed errors for what is no picture, or damaged. */
  readonly decode: (
    bytes: Uint8Array,
    where: string,
  ) => Promise<{ readonly width: number; readonly height: number }>;
  readonly zlib: Pick<Zlib, "inflate">;
}

/** @throws DataFormatError for what drawing would not read, ModelFormatError for a recipe that is not JSON. */
export async function inspectPicture(
  bytes: Uint8Array,
  path: string,
  format: PictureFormat,
  { decode, zlib }: PictureReaders,
): Promise<PictureInspection> {
  const { width, height } = await decode(bytes, path);
  const texts = isPng(bytes) ? await readPngTexts(bytes, zlib, path) : [];
  const parameters = findPngText(texts, PARAMETERS_KEYWORD);
  const recipe = findPngText(texts, RECIPE_KEYWORD);
  const packet = findPngText(texts, XMP_KEYWORD);
  return {
    kind: "picture",
    format,
    path,
    width,
    height,
    parameters: parameters === undefined ? undefined : describeParameters(parameters),
    recipe: recipe === undefined ? undefined : parseRecipe(recipe, path),
    sourceType: packet === undefined ? undefined : readDigitalSourceType(packet),
    texts: texts.map(({ keyword }) => keyword),
    problems: [],
  };
}

function describeParameters(text: string): PictureInspection["parameters"] {
  const { prompt, negativePrompt, settings } = parseParameters(text);
  return { prompt, negativePrompt, settings: Object.fromEntries(settings) };
}

function parseRecipe(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ModelFormatError(`its "${RECIPE_KEYWORD}" text is not JSON`, {
      where,
      cause,
      remedy: "the picture was changed by another program; its parameters text may still be whole",
    });
  }
}
