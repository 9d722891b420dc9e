/** @file Kept tokens of a picture in its recipe: which cells, a digest, and the tokens themselves where they are few. */
import { InputError } from "../errors.ts";
import { fromBase64, toBase64 } from "../formats/base64.ts";
import { isJsonObject } from "../formats/json-file.ts";
import { isSha256 } from "../formats/json-value.ts";
import { floatBytes, floatsOf } from "../tensor/float-bytes.ts";
import { joinedFloats } from "../tensor/joined.ts";
import type { Canvas } from "./canvas.ts";
import type { KeptTokens } from "./keep.ts";
import type { Platform } from "./platform.ts";

export interface RecipeKept {
  /** Kept cells in raster order, as ranges from the first to behind the last. */
  readonly cells: readonly (readonly [from: number, to: number])[];
  /** SHA-256 of their tokens in that order, float32, little-endian. */
  readonly sha256: string;
  /** Those tokens as base64. Left out where they are more than {@link MAX_TOKEN_BYTES}: give them again, then. */
  readonly tokens?: string;
}

/** 256 tokens of the published width. A recipe stays a text that galleries carry along. */
const MAX_TOKEN_BYTES = 64 * 1024;
const MAX_TOKEN_CHARACTERS = 4 * Math.ceil(MAX_TOKEN_BYTES / 3);
/** Far more cells than positions of any model. */
const MAX_CELLS = 1 << 20;

/** What a recipe says of the tokens that are forced on a canvas; undefined where there are none. */
export async function describeKept(
  canvas: Canvas,
  platform: Pick<Platform, "sha256">,
): Promise<RecipeKept | undefined> {
  const cells: [number, number][] = [];
  for (let cell = 0; cell < canvas.count; cell++) {
    if (canvas.stateOf(cell) !== "forced") continue;
    const last = cells.at(-1);
    if (last?.[1] === cell) last[1] = cell + 1;
    else cells.push([cell, cell + 1]);
  }
  if (cells.length === 0) return undefined;
  const bytes = floatBytes(cellTokens(canvas, cells));
  const sha256 = await platform.sha256(bytes);
  return { cells, sha256, ...(bytes.length > MAX_TOKEN_BYTES ? {} : { tokens: toBase64(bytes) }) };
}

/** Whether a JSON value is what {@link describeKept} gives. */
export function isRecipeKept(value: unknown): value is RecipeKept {
  if (!isJsonObject(value)) return false;
  const { cells, sha256, tokens } = value;
  if (!isSha256(sha256) || !Array.isArray(cells) || cells.length === 0) return false;
  let behind = -1;
  for (const range of cells) {
    if (!Array.isArray(range) || range.length !== 2) return false;
    const [from, to] = range;
    if (!Number.isInteger(from) || !Number.isInteger(to) || from <= behind || to <= from) return false;
    behind = to;
  }
  if (behind > MAX_CELLS) return false;
  return (
    tokens === undefined ||
    (typeof tokens === "string" && tokens.length <= MAX_TOKEN_CHARACTERS && fromBase64(tokens) !== undefined)
  );
}

/**
 * The kept tokens of a recipe: its own, or the given ones if they are the same.
 * @param count cells of the picture
 * @param width numbers of a token
 * @throws InputError when they are neither in the recipe nor given, are others, or do not fit the picture.
 */
export async function keepAgain(
  { cells, sha256, tokens }: RecipeKept,
  given: KeptTokens | undefined,
  { count, width }: { readonly count: number; readonly width: number },
  platform: Pick<Platform, "sha256">,
): Promise<KeptTokens> {
  const kept = cells.reduce((sum, [from, to]) => sum + to - from, 0);
  const refuse = (reason: string, remedy: string): InputError =>
    new InputError(reason, { where: "recipe", remedy });
  if ((cells.at(-1)?.[1] ?? 0) > count) {
    throw refuse(`keeps tokens of cells that a picture of ${count} does not have`, "the recipe was changed");
  }
  if (given === undefined && tokens === undefined) {
    throw refuse(
      `was drawn around ${kept} kept tokens, which are too many for it to hold`,
      "give the same tokens, model.again(recipe, { keep }); or repeat it on the server that drew it",
    );
  }
  const bytes = given === undefined ? fromBase64(tokens ?? "") : givenBytes(given, cells, { count, width });
  if (bytes?.length !== kept * width * Float32Array.BYTES_PER_ELEMENT) {
    throw refuse(
      `does not hold ${kept} tokens of ${width} numbers`,
      "the recipe is of another kind of model",
    );
  }
  if ((await platform.sha256(bytes)) !== sha256) {
    throw refuse("the kept tokens are not those it was drawn around", "give the same tokens");
  }
  return spreadCells(cells, floatsOf(bytes), { count, width });
}

/** Tokens of cells in raster order, [cells, width]. */
export function cellTokens(canvas: Canvas, cells: RecipeKept["cells"]): Float32Array {
  return joinedFloats(cells.map(([from, to]) => canvas.cells(from, to)));
}

/** The inverse of {@link cellTokens}: each token at its cell. */
export function spreadCells(
  cells: RecipeKept["cells"],
  values: Float32Array,
  { count, width }: { readonly count: number; readonly width: number },
): KeptTokens {
  const data = new Float32Array(count * width);
  const mask = new Uint8Array(count);
  let at = 0;
  for (const [from, to] of cells) {
    mask.fill(1, from, to);
    const tokens = values.subarray(at, at + (to - from) * width);
    data.set(tokens, from * width);
    at += tokens.length;
  }
  return { data, mask, shape: [1, count, width] };
}

/** The tokens of the cells among those that were given; undefined where they are not among them. */
function givenBytes(
  { data, shape, mask }: KeptTokens,
  cells: RecipeKept["cells"],
  { count, width }: { readonly count: number; readonly width: number },
): Uint8Array<ArrayBuffer> | undefined {
  const [pictures, length = 0, numbers] = Array.isArray(shape) ? shape : [];
  const fits = data instanceof Float32Array && pictures === 1 && numbers === width;
  if (!fits || data.length !== length * width || length > count) {
    throw new InputError(`[${String(shape)}] does not fit this drawing`, {
      where: "keep",
      remedy: `give float32 tokens of one picture, [1, up to ${count}, ${width}]`,
    });
  }
  const marked = (cell: number): boolean => (mask === undefined ? cell < length : mask[cell] === 1);
  const all = cells.every(([from, to]) => {
    for (let cell = from; cell < to; cell++) if (!marked(cell)) return false;
    return true;
  });
  if (!all) return undefined;
  return floatBytes(joinedFloats(cells.map(([from, to]) => data.subarray(from * width, to * width))));
}
