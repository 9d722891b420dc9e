/**
 * @file A sequence as a list of segments, text and images (docs/nextstep-spec.md 3.1, 4.1). Prompts and training
 * samples are both written this way; ids, image places and labels are derived here and nowhere else.
 */

import { DataFormatError, InputError } from "../errors.ts";
import { type ImageSize, PIXELS_PER_TOKEN } from "../image/pixels.ts";
import { BEGIN_OF_IMAGE, END_OF_IMAGE, IMAGE_AREA, IMAGE_PLACEHOLDER } from "./special-tokens.ts";
import type { TextTokenizer } from "./tokenizer.ts";

/** Rows and columns of an image in tokens, height first. */
export type Grid = readonly [height: number, width: number];

export type Segment =
  | { readonly kind: "text"; readonly text: string }
  | {
      readonly kind: "image";
      readonly grid: Grid;
      /** Which of the given images stands here. */
      readonly image: number;
    };

/** Where an image lies in a sequence: its placeholders are the ids `start` to `start + length`, raster order. */
export interface ImageSpan {
  readonly start: number;
  readonly length: number;
}

/** Label of a position that the language loss leaves out. */
export const IGNORED_LABEL = -100;

/** The text of a grid, which is also the key of an aspect bucket: `32*32`, height first. */
export function gridText([height, width]: Grid): string {
  return `${height}*${width}`;
}

/**
 * Tokens of an image of this size.
 * Throws InputError when a side is not a positive multiple of `pixelsPerToken`.
 */
export function gridOf(size: ImageSize, where: string, pixelsPerToken = PIXELS_PER_TOKEN): Grid {
  for (const side of size) {
    if (!Number.isInteger(side) || side <= 0 || side % pixelsPerToken !== 0) {
      throw new InputError(`${size[0]}x${size[1]} (height x width) is off the token grid`, {
        where,
        remedy: `use sides that are positive multiples of ${pixelsPerToken}`,
      });
    }
  }
  return [size[0] / pixelsPerToken, size[1] / pixelsPerToken];
}

/**
 * Ids that announce an image of this grid: the area token and the size, digit by digit.
 * With a bos_token the first id is dropped. It was meant to be the BOS that a tokenizer adds by itself; Qwen2 adds
 * none, so the area token is lost, in published training as in generation (docs/nextstep-spec.md 7.1).
 */
export function areaIds(tokenizer: TextTokenizer, grid: Grid): number[] {
  const ids = tokenizer.encode(IMAGE_AREA + gridText(grid), { special: true });
  return tokenizer.bosToken === null ? ids : ids.slice(1);
}

/** An image as text, as prompts have it: always with its area token. */
export function imageText(grid: Grid): string {
  const placeholders = IMAGE_PLACEHOLDER.repeat(grid[0] * grid[1]);
  return IMAGE_AREA + gridText(grid) + BEGIN_OF_IMAGE + placeholders + END_OF_IMAGE;
}

/** The whole sequence as the text that a prompt is tokenised from. */
export function renderSegments(segments: readonly Segment[]): string {
  return segments.map((part) => (part.kind === "text" ? part.text : imageText(part.grid))).join("");
}

/** Ids of an image in a training sample: area, begin, one placeholder per token, end. */
export function imageIds(tokenizer: TextTokenizer, grid: Grid): number[] {
  const { boi, eoi, placeholder } = tokenizer.specials;
  const placeholders = new Array<number>(grid[0] * grid[1]).fill(placeholder);
  return [...areaIds(tokenizer, grid), boi, ...placeholders, eoi];
}

/**
 * Ids of a training sample whose images stand where its segments say.
 * Text is tokenised as a whole with one placeholder for each image, which is then replaced by {@link imageIds}.
 * Throws DataFormatError when the text itself contains placeholders.
 */
export function trainingIds(tokenizer: TextTokenizer, segments: readonly Segment[]): number[] {
  const grids = segments.filter((part) => part.kind === "image").map((part) => part.grid);
  const text = segments.map((part) => (part.kind === "text" ? part.text : IMAGE_PLACEHOLDER)).join("");
  const ids: number[] = [];
  let image = 0;
  for (const id of tokenizer.encode(text, { special: true })) {
    if (id !== tokenizer.specials.placeholder) {
      ids.push(id);
      continue;
    }
    const grid = grids[image++];
    if (grid === undefined) throw new DataFormatError(`the caption itself contains ${IMAGE_PLACEHOLDER}`);
    for (const own of imageIds(tokenizer, grid)) ids.push(own);
  }
  return ids;
}

/**
 * Finds the images of a sequence by its begin and end tokens and compares them with the grids they should have.
 * Returns null when they do not agree: text that contains image tokens, or a number of images that is not the one
 * given.
 */
export function findImages(
  tokenizer: TextTokenizer,
  ids: readonly number[],
  grids: readonly Grid[],
): ImageSpan[] | null {
  const { boi, eoi, placeholder } = tokenizer.specials;
  const spans: ImageSpan[] = [];
  for (let at = 0; at < ids.length; at++) {
    const id = ids[at];
    if (id === eoi || id === placeholder) return null;
    if (id !== boi) continue;
    const grid = grids[spans.length];
    if (grid === undefined) return null;
    const span = { start: at + 1, length: grid[0] * grid[1] };
    for (let n = 0; n < span.length; n++) if (ids[span.start + n] !== placeholder) return null;
    at = span.start + span.length;
    if (ids[at] !== eoi) return null;
    spans.push(span);
  }
  return spans.length === grids.length ? spans : null;
}

/**
 * Labels of a training sample that ends in EOS: the ids, without the begin token and all but the last image token of
 * each image (image tokens are continuous; the last one's place predicts the end token), and without an EOS that
 * follows an image directly.
 */
export function sampleLabels(
  tokenizer: TextTokenizer,
  ids: readonly number[],
  spans: readonly ImageSpan[],
): number[] {
  const labels = [...ids];
  for (const { start, length } of spans) labels.fill(IGNORED_LABEL, start - 1, start - 1 + length);
  if (ids.at(-2) === tokenizer.specials.eoi) labels[labels.length - 1] = IGNORED_LABEL;
  return labels;
}
