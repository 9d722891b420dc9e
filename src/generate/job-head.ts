/** @file The head of a job's bytes: what its pictures are, as JSON. */
import { DataFormatError } from "../errors.ts";
import { isJsonObject } from "../formats/json-file.ts";
import { isSha256, isWholeNumber } from "../formats/json-value.ts";
import type { Grid } from "../sequence/segments.ts";
import type { DrawingNote } from "./drawing-notes.ts";
import { checkRecipe, isRecipeImage, type Recipe } from "./recipe.ts";
import { MAX_SIDE } from "./settings.ts";

export interface JobHead {
  readonly grid: Grid;
  readonly tokenWidth: number;
  /** `tokens`: how many the image has. */
  readonly images: readonly {
    readonly sha256: string;
    readonly width: number;
    readonly height: number;
    readonly tokens: number;
  }[];
  readonly noise?: string;
  /** `kept`: how many tokens were given. */
  readonly pictures: readonly {
    readonly recipe: Recipe;
    readonly notes: readonly DrawingNote[];
    readonly kept: number;
  }[];
  readonly own?: unknown;
}

/** Far more than fit into any memory: a larger number is damage. */
const MAX_PICTURES = 1 << 16;
const MAX_TOKEN_WIDTH = 1 << 16;
const MAX_TOKENS = 1 << 24;
const NOTE_KINDS: readonly unknown[] = [
  ...(["size", "words", "model", "threads", "thought"] satisfies DrawingNote["kind"][]),
];

/** @throws DataFormatError naming `where` and the first field that does not fit; ConfigError for a recipe's setting. */
export function parseJobHead(text: string, where: string): JobHead {
  const refuse = (field: string): DataFormatError =>
    new DataFormatError(`the job's "${field}" does not fit`, {
      where,
      remedy: "the file was changed, or written by another version of this package",
    });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw refuse("head");
  }
  if (!isJsonObject(json)) throw refuse("head");
  const { grid, tokenWidth, images, noise, pictures, own } = json;
  if (!Array.isArray(grid) || grid.length !== 2 || !grid.every((side) => isWholeNumber(side, 1, MAX_SIDE)))
    throw refuse("grid");
  if (!isWholeNumber(tokenWidth, 1, MAX_TOKEN_WIDTH)) throw refuse("tokenWidth");
  if (!Array.isArray(images) || !images.every(isImage)) throw refuse("images");
  if (noise !== undefined && !isSha256(noise)) throw refuse("noise");
  if (!Array.isArray(pictures) || pictures.length < 1 || pictures.length > MAX_PICTURES)
    throw refuse("pictures");
  return {
    grid: [Number(grid[0]), Number(grid[1])],
    tokenWidth,
    images: images.map(({ sha256, width, height, tokens }) => ({ sha256, width, height, tokens })),
    ...(noise === undefined ? {} : { noise }),
    pictures: pictures.map((picture: unknown) => {
      if (!isJsonObject(picture)) throw refuse("pictures");
      const { recipe, notes, kept } = picture;
      if (!Array.isArray(notes) || !notes.every(isNote)) throw refuse("notes");
      if (!isWholeNumber(kept, 0, MAX_TOKENS)) throw refuse("kept");
      return { recipe: readRecipe(recipe, where), notes, kept };
    }),
    ...(own === undefined ? {} : { own }),
  };
}

/** Keys stay in their order: the picture's file, in which the recipe is written, is to be the same to the byte. */
function readRecipe(given: unknown, where: string): Recipe {
  const recipe = checkRecipe(given, where);
  return inOrderOf(given, {
    ...recipe,
    settings: inOrderOf(isJsonObject(given) ? given.settings : {}, recipe.settings),
  });
}

function inOrderOf<Value extends object>(given: unknown, value: Value): Value {
  const order = Object.keys(given ?? {});
  const entries = Object.entries(value).sort(([a], [b]) => order.indexOf(a) - order.indexOf(b));
  return Object.fromEntries(entries) as Value;
}

function isImage(value: unknown): value is JobHead["images"][number] {
  return isRecipeImage(value) && isWholeNumber(value.tokens, 1, MAX_TOKENS);
}

function isNote(value: unknown): value is DrawingNote {
  const areTexts = (list: unknown): boolean =>
    list === undefined || (Array.isArray(list) && list.every((item) => typeof item === "string"));
  return (
    isJsonObject(value) &&
    NOTE_KINDS.includes(value.kind) &&
    typeof value.text === "string" &&
    areTexts(value.words) &&
    areTexts(value.closest)
  );
}
