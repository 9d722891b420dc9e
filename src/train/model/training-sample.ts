/** @file Training samples of the four data types: ids, labels, image flags (docs/nextstep-spec.md 4.1). */

import { DataFormatError } from "../../errors.ts";
import {
  findImages,
  type Grid,
  gridText,
  type ImageSpan,
  type Segment,
  sampleLabels,
  trainingIds,
} from "../../sequence/segments.ts";
import type { TextTokenizer } from "../../sequence/tokenizer.ts";
import { IMAGE_TAG_PATTERN } from "../data/image-tags.ts";

/** Key of samples whose images differ in grid. */
export const MIXED_GRIDS_KEY = "0*0";

export interface TrainingSample {
  readonly ids: readonly number[];
  /** Same length as `ids`; -100 where the language loss looks away. */
  readonly labels: readonly number[];
  /** Grids of the images in the order of their places in `ids`. */
  readonly grids: readonly Grid[];
  /** Which of the sample's images stand in `ids`, in that order. Interleaved samples may lose some. */
  readonly images: readonly number[];
  /** 1 for each image that the image loss counts, 0 for one that is only read. */
  readonly imageFlags: readonly number[];
  /** Places of the images in `ids`; null when text and images do not agree, and the sample must not be trained on. */
  readonly spans: readonly ImageSpan[] | null;
}

/** The aspect bucket of a sample: the grid that all its images share, or {@link MIXED_GRIDS_KEY}. */
export function bucketKey(grids: readonly Grid[]): string {
  const keys = new Set(grids.map(gridText));
  const [only] = keys;
  return keys.size === 1 && only !== undefined ? only : MIXED_GRIDS_KEY;
}

/** Ids of a text for the endless stream of language data: the text, then EOS. */
export function textIds(tokenizer: TextTokenizer, text: string): number[] {
  return [...tokenizer.encode(text, { special: true }), tokenizer.specials.eos];
}

/**
 * One image and its caption. `dropText` puts the image first: it is then drawn unconditionally and captioned.
 * With a bos_token the first id of a dropped caption stays in front of the image: it was meant to be a BOS, which
 * Qwen2 does not add (docs/nextstep-spec.md 7.1).
 */
export function imageTextSample(
  tokenizer: TextTokenizer,
  caption: string,
  grid: Grid,
  { dropText }: { readonly dropText: boolean },
): TrainingSample {
  const text = tokenizer.encode(caption, { special: true });
  const image = trainingIds(tokenizer, [{ kind: "image", grid, image: 0 }]);
  const { eos } = tokenizer.specials;
  const kept = tokenizer.bosToken === null ? 0 : 1;
  const ids = dropText
    ? [...text.slice(0, kept), ...image, ...text.slice(kept), eos]
    : [...text, ...image, eos];
  return finish(tokenizer, ids, [grid], [0], [1]);
}

/**
 * An editing sample: images stand at the tags of the caption, the k-th tag taking the k-th of `grids`, and only the
 * last one is learnt. Images beyond the tags make the sample untrainable (`spans` null).
 * Throws DataFormatError for more tags than images.
 */
export function editingSample(
  tokenizer: TextTokenizer,
  caption: string,
  grids: readonly Grid[],
): TrainingSample {
  const { segments, images } = splitTags(caption, grids);
  const ids = [...trainingIds(tokenizer, segments), tokenizer.specials.eos];
  const flags = images.map((image) => (image === images.length - 1 ? 1 : 0));
  return finish(tokenizer, ids, grids, images, flags);
}

/**
 * An interleaved sample: images stand at the tags of the caption and are all learnt. With more than
 * floor(maxLen / (2 * maxImageTokens)) images, a random run of that many stays, each with the text in front of it.
 * Throws DataFormatError unless there are as many tags as images, and when not even one image may stay.
 * @param random uniform in [0, 1), called only when images are left out
 */
export function interleavedSample(
  tokenizer: TextTokenizer,
  caption: string,
  grids: readonly Grid[],
  limits: { readonly maxLen: number; readonly maxImageTokens: number; readonly random: () => number },
): TrainingSample {
  const { segments, images } = splitTags(caption, grids);
  if (images.length !== grids.length) {
    throw new DataFormatError(`${grids.length} images for ${images.length} tags`, { where: "caption" });
  }
  if (images.length === 0) throw new DataFormatError("no images", { where: "caption" });
  const most = Math.floor(limits.maxLen / (2 * limits.maxImageTokens));
  if (images.length > most) {
    if (most === 0)
      throw new DataFormatError("one image fills more than half of a row", { where: "caption" });
    const first = Math.floor(limits.random() * (images.length - most + 1));
    // Segments alternate text, image, text, image, ..., text: image k and the text before it are 2k and 2k + 1.
    const run = segments.slice(2 * first, 2 * (first + most));
    const ids = [...trainingIds(tokenizer, run), tokenizer.specials.eos];
    const kept = images.slice(first, first + most);
    return finish(tokenizer, ids, grids.slice(first, first + most), kept, new Array<number>(most).fill(1));
  }
  const ids = [...trainingIds(tokenizer, segments), tokenizer.specials.eos];
  return finish(tokenizer, ids, grids, images, new Array<number>(images.length).fill(1));
}

/** Cuts a caption at its image tags: text, image, text, ..., image, text. */
function splitTags(
  caption: string,
  grids: readonly Grid[],
): { readonly segments: Segment[]; readonly images: number[] } {
  const segments: Segment[] = [];
  const images: number[] = [];
  let end = 0;
  for (const match of caption.matchAll(IMAGE_TAG_PATTERN)) {
    const image = images.length;
    const grid = grids[image];
    if (grid === undefined) {
      throw new DataFormatError(`more image tags than images (${grids.length})`, { where: "caption" });
    }
    segments.push({ kind: "text", text: caption.slice(end, match.index) }, { kind: "image", grid, image });
    images.push(image);
    end = match.index + match[0].length;
  }
  segments.push({ kind: "text", text: caption.slice(end) });
  return { segments, images };
}

function finish(
  tokenizer: TextTokenizer,
  ids: readonly number[],
  grids: readonly Grid[],
  images: readonly number[],
  imageFlags: readonly number[],
): TrainingSample {
  const placed = findImages(tokenizer, ids, grids.slice(0, images.length));
  const labels = sampleLabels(tokenizer, ids, placed ?? []);
  const spans = images.length === grids.length ? placed : null;
  return { ids, labels, grids, images, imageFlags, spans };
}
