/** @file The rows of a generation request: captions, image-only and negative branches (docs/nextstep-spec.md 3.1). */

import { InputError } from "../errors.ts";
import { type ImageSize, PIXELS_PER_TOKEN } from "../image/pixels.ts";
import {
  areaIds,
  findImages,
  type Grid,
  gridOf,
  type ImageSpan,
  renderSegments,
  type Segment,
} from "./segments.ts";
import type { TextTokenizer } from "./tokenizer.ts";

/**
 * The two published ways to write prompts. `P-A` (Aug 2025): exactly one image per caption when images are given, no
 * BOS. `P-B` (Feb 2026): any number of images, BOS in front of every row if the tokenizer has one.
 */
export type PromptCode = "P-A" | "P-B";

export interface PromptRequest {
  readonly captions: readonly string[];
  /** Sizes of the input images, in the order of the `<image>` tags over all captions; null for text to image. */
  readonly images: readonly ImageSize[] | null;
  readonly imagesPerCaption: number;
  /** Added to every caption after a space; empty or null adds nothing. */
  readonly positive: string | null;
  readonly negative: string | null;
  /** Size of the picture to draw, in pixels. */
  readonly size: ImageSize;
  readonly cfg: number;
  readonly cfgImg: number;
  readonly code: PromptCode;
  /** Side of a token in pixels, 16 for every published model. */
  readonly pixelsPerToken?: number;
}

export interface PromptRow {
  /** The text that is tokenised, BOS included. */
  readonly text: string;
  /** Ids without padding, the area prefix and the begin token of the new image included. */
  readonly ids: readonly number[];
  /** Input images of this row: index into the request's images, and where its tokens lie in `ids`. */
  readonly images: readonly (ImageSpan & { readonly image: number })[];
}

export interface Prompt {
  /** Row b*n+i is branch b of picture i; branches are condition, image-only (if three), none. */
  readonly rows: readonly PromptRow[];
  readonly branches: 1 | 2 | 3;
  /** Number of pictures, captions times imagesPerCaption; picture i belongs to caption floor(i / imagesPerCaption). */
  readonly pictures: number;
  /** Tokens of the picture to draw. */
  readonly grid: Grid;
  /** What announces the picture, and ends every row: its size and the begin token. */
  readonly announcement: readonly number[];
  /** [rows, longest], padded on the left. */
  readonly inputIds: readonly (readonly number[])[];
  /** [rows, longest], 0 on padding. */
  readonly attentionMask: readonly (readonly number[])[];
}

const IMAGE_TAG = "<image>";

/**
 * Writes the rows of a request. Every picture's row holds the images of its own caption, in order; an image-only row
 * holds the same images, then the negative prompt directly behind them. Where the published code can run, rows and
 * ids equal its own. Without images `<image>` is plain text.
 *
 * Special tokens written out in a caption are read as such, as published, except for image tokens: a stray
 * `<|image_placeholder|>`, begin or end token would put image embeddings in wrong places.
 *
 * Throws InputError for an empty list of captions, counts that do not match, sizes off the token grid, guidance that
 * needs images where there are none, and stray image tokens.
 */
export function buildPromptRows(tokenizer: TextTokenizer, request: PromptRequest): Prompt {
  const { captions, images, imagesPerCaption, code, cfg, cfgImg } = request;
  const pixelsPerToken = request.pixelsPerToken ?? PIXELS_PER_TOKEN;
  if (captions.length === 0) throw new InputError("no captions", { remedy: "give at least one" });
  if (!Number.isInteger(imagesPerCaption) || imagesPerCaption < 1) {
    throw new InputError(`${imagesPerCaption} pictures per caption`, { remedy: "ask for 1 or more" });
  }
  for (const [name, value] of [
    ["cfg", cfg],
    ["cfg_img", cfgImg],
  ] as const) {
    if (!Number.isFinite(value)) throw new InputError(`${value} is not a guidance scale`, { where: name });
  }
  const grid = gridOf(request.size, "size", pixelsPerToken);
  const branches = cfg === 1 ? 1 : cfgImg === 1 ? 2 : 3;
  if (branches === 3 && (images === null || images.length === 0)) {
    throw new InputError("image guidance needs input images", {
      where: "cfg_img",
      remedy: "set cfg_img to 1 or give images",
    });
  }
  const conditions = splitCaptions(captions, images, code, pixelsPerToken);
  const pictures = conditions.flatMap((condition) =>
    Array.from({ length: imagesPerCaption }, () => condition),
  );
  const positive = request.positive ?? "";
  const negative: Segment = { kind: "text", text: request.negative ?? "" };

  const rows: Segment[][] = pictures.map((condition) =>
    positive === "" ? [...condition] : [...condition, { kind: "text", text: ` ${positive}` }],
  );
  if (branches === 3) {
    for (const condition of pictures) {
      rows.push([...condition.filter((part) => part.kind === "image"), negative]);
    }
  }
  if (branches >= 2) for (const _ of pictures) rows.push([negative]);

  const prefix = [...areaIds(tokenizer, grid), tokenizer.specials.boi];
  const bos = code === "P-B" ? (tokenizer.bosToken ?? "") : "";
  // Branches repeat the same few rows: a row of 1,024 placeholders is worth tokenising once.
  const written = new Map<string, PromptRow>();
  const prompts = rows.map((segments) => {
    const key = JSON.stringify(segments);
    const known = written.get(key);
    if (known !== undefined) return known;
    const row = writeRow(tokenizer, bos, segments, prefix);
    written.set(key, row);
    return row;
  });
  return {
    rows: prompts,
    branches,
    pictures: pictures.length,
    grid,
    announcement: prefix,
    ...padLeft(tokenizer, prompts),
  };
}

/**
 * The prompt with what the model wrote itself, between each condition and the announcement of its picture. The other
 * branches stay as they are: guidance leads away from a prompt without the thought.
 */
export function withThought(tokenizer: TextTokenizer, prompt: Prompt, thought: readonly number[]): Prompt {
  const { pictures, announcement } = prompt;
  const rows = prompt.rows.map((row, index) => {
    if (index >= pictures) return row;
    const condition = row.ids.slice(0, -announcement.length);
    return { ...row, ids: [...condition, ...thought, ...announcement] };
  });
  return { ...prompt, rows, ...padLeft(tokenizer, rows) };
}

/** Replaces the `<image>` tags of all captions, in order, by image segments. */
function splitCaptions(
  captions: readonly string[],
  images: readonly ImageSize[] | null,
  code: PromptCode,
  pixelsPerToken: number,
): Segment[][] {
  if (images === null) return captions.map((text) => [{ kind: "text", text }]);
  const grids = images.map((size, index) => gridOf(size, `image ${index + 1}`, pixelsPerToken));
  const pieces = captions.map((caption) => caption.split(IMAGE_TAG));
  const tags = pieces.reduce((sum, parts) => sum + parts.length - 1, 0);
  if (tags !== images.length) {
    throw new InputError(`${images.length} images for ${tags} ${IMAGE_TAG} tags`, {
      where: "captions",
      remedy: `write one ${IMAGE_TAG} for each image`,
    });
  }
  let next = 0;
  return pieces.map((parts, caption) => {
    if (code === "P-A" && parts.length !== 2) {
      throw new InputError(
        `${parts.length - 1} ${IMAGE_TAG} tags, but this model takes one image per caption`,
        {
          where: `caption ${caption + 1}`,
          remedy: `write ${IMAGE_TAG} exactly once`,
        },
      );
    }
    const segments: Segment[] = [];
    for (const [part, text] of parts.entries()) {
      const grid = part === 0 ? undefined : grids[next];
      if (grid !== undefined) segments.push({ kind: "image", grid, image: next++ });
      segments.push({ kind: "text", text });
    }
    return segments;
  });
}

function writeRow(
  tokenizer: TextTokenizer,
  bos: string,
  segments: readonly Segment[],
  prefix: readonly number[],
): PromptRow {
  const own = segments.filter((part) => part.kind === "image");
  const text = bos + renderSegments(segments);
  const ids = tokenizer.encode(text, { special: true });
  const spans = findImages(
    tokenizer,
    ids,
    own.map((part) => part.grid),
  );
  if (spans === null) {
    throw new InputError("the text contains image tokens", {
      where: "captions",
      remedy: "leave out <|begin_of_image|>, <|end_of_image|> and <|image_placeholder|>",
    });
  }
  const images = spans.map((span, index) => ({ ...span, image: own[index]?.image ?? 0 }));
  return { text, ids: [...ids, ...prefix], images };
}

/** Left padding, so that the last column of every row predicts its first image token. */
function padLeft(
  tokenizer: TextTokenizer,
  rows: readonly PromptRow[],
): Pick<Prompt, "inputIds" | "attentionMask"> {
  const longest = rows.reduce((length, row) => Math.max(length, row.ids.length), 0);
  const inputIds: number[][] = [];
  const attentionMask: number[][] = [];
  for (const { ids } of rows) {
    const padding = longest - ids.length;
    inputIds.push([...new Array<number>(padding).fill(tokenizer.specials.pad), ...ids]);
    attentionMask.push(Array.from({ length: longest }, (_, column) => (column < padding ? 0 : 1)));
  }
  return { inputIds, attentionMask };
}
