/** @file Packs samples into rows of one length, by aspect bucket (docs/nextstep-spec.md 4.2). */

import { z } from "zod";
import { DataFormatError, InputError } from "../../errors.ts";
import { type Grid, gridText, IGNORED_LABEL } from "../../sequence/segments.ts";
import { bucketKey, MIXED_GRIDS_KEY, type TrainingSample } from "./training-sample.ts";

/**
 * A row of `maxLen` ids. Every position is attended to, padding included, and later samples see earlier ones: the
 * published system packs without a block mask, and positions run on.
 */
export interface PackedRow<Source> {
  readonly key: string;
  readonly ids: readonly number[];
  readonly labels: readonly number[];
  /** Grids and flags of all images of the row, in order. */
  readonly grids: readonly Grid[];
  readonly imageFlags: readonly number[];
  /** What was pushed along with each sample of the row. */
  readonly sources: readonly Source[];
  /** Ids at the end of the row that are [PAD]. */
  readonly padding: number;
}

export interface PushResult<Source> {
  /** Bucket that took the sample, or null when it was refused. */
  readonly key: string | null;
  /** Why it was refused, or null. */
  readonly refusal: string | null;
  /** Rows that are now full, oldest first. */
  readonly rows: readonly PackedRow<Source>[];
}

interface Waiting<Source> {
  readonly ids: readonly number[];
  readonly labels: readonly number[];
  readonly grids: readonly Grid[];
  readonly imageFlags: readonly number[];
  readonly source: Source;
}

/** Samples that no row has taken yet, as plain JSON (if the sources are). */
export interface PackerState<Source> {
  readonly buckets: readonly (readonly [key: string, samples: readonly Waiting<Source>[]])[];
}

const integers = z.array(z.int());
const packerState = z.strictObject({
  buckets: z.array(
    z.tuple([
      z.string(),
      z.array(
        z.strictObject({
          ids: integers,
          labels: integers,
          grids: z.array(z.tuple([z.int().positive(), z.int().positive()])),
          imageFlags: integers,
          source: z.unknown(),
        }),
      ),
    ]),
  ),
});

class Bucket<Source> {
  samples: Waiting<Source>[] = [];
  length = 0;

  add(sample: Waiting<Source>): void {
    this.samples.push(sample);
    this.length += sample.ids.length;
  }
}

/**
 * Streaming packer of image samples. Samples wait in the bucket of their grid ("0*0" for mixed ones); as soon as one
 * bucket holds `maxLen` ids, the longest bucket (the first of equal ones) gives a row: its longest run of whole
 * samples that fits, padded on the right. Buckets are ordered as `grids`, mixed last.
 */
export class SamplePacker<Source> {
  readonly #maxLen: number;
  readonly #pad: number;
  readonly #buckets = new Map<string, Bucket<Source>>();

  /** Throws InputError for a length below 1. */
  constructor(options: { readonly maxLen: number; readonly pad: number; readonly grids: readonly Grid[] }) {
    if (!Number.isInteger(options.maxLen) || options.maxLen < 1) {
      throw new InputError(`rows of ${options.maxLen} ids`, { where: "maxLen", remedy: "use 1 or more" });
    }
    this.#maxLen = options.maxLen;
    this.#pad = options.pad;
    for (const grid of options.grids) this.#buckets.set(gridText(grid), new Bucket());
    this.#buckets.set(MIXED_GRIDS_KEY, new Bucket());
  }

  /**
   * Takes a sample, or refuses one that is longer than a row or whose text and images do not agree.
   * Throws InputError for a grid that is none of the packer's.
   */
  push(sample: TrainingSample, source: Source): PushResult<Source> {
    for (const grid of sample.grids) {
      if (!this.#buckets.has(gridText(grid))) {
        throw new InputError(`no bucket for images of ${gridText(grid)} tokens`, {
          where: "grids",
          remedy: "crop images to the aspect buckets first",
        });
      }
    }
    if (sample.spans === null) return refuse("the image tokens of the text do not match the images");
    if (sample.ids.length > this.#maxLen) {
      return refuse(`${sample.ids.length} ids do not fit a row of ${this.#maxLen}`);
    }
    const { ids, labels, grids, imageFlags } = sample;
    const key = bucketKey(grids);
    this.#bucket(key).add({ ids, labels, grids, imageFlags, source });
    const rows: PackedRow<Source>[] = [];
    for (let row = this.#take(); row !== null; row = this.#take()) rows.push(row);
    return { key, refusal: null, rows };
  }

  /** Ids that wait in each bucket that is not empty. */
  waiting(): ReadonlyMap<string, number> {
    const lengths = new Map<string, number>();
    for (const [key, bucket] of this.#buckets) if (bucket.length > 0) lengths.set(key, bucket.length);
    return lengths;
  }

  /** What is needed to go on after a restart. */
  state(): PackerState<Source> {
    return { buckets: [...this.#buckets].map(([key, bucket]) => [key, [...bucket.samples]] as const) };
  }

  /**
   * Goes on where {@link state} was taken, in place of what waits now.
   * Throws DataFormatError for a state that is malformed or has other buckets.
   */
  restore(state: unknown, readSource: (value: unknown) => Source): void {
    const parsed = packerState.safeParse(state);
    if (!parsed.success) {
      throw new DataFormatError("not a packing state", { where: "packing", cause: parsed.error });
    }
    const fresh = new Map<string, Bucket<Source>>();
    for (const [key, samples] of parsed.data.buckets) {
      if (!this.#buckets.has(key)) {
        throw new DataFormatError(`a bucket ${key} that this run does not have`, {
          where: "packing",
          remedy: "resume with the image size that the run was started with",
        });
      }
      const bucket = new Bucket<Source>();
      for (const sample of samples) {
        if (sample.ids.length > this.#maxLen || sample.labels.length !== sample.ids.length) {
          throw new DataFormatError("a waiting sample that does not fit a row", { where: "packing" });
        }
        bucket.add({ ...sample, source: readSource(sample.source) });
      }
      fresh.set(key, bucket);
    }
    for (const key of this.#buckets.keys()) this.#buckets.set(key, fresh.get(key) ?? new Bucket());
  }

  #bucket(key: string): Bucket<Source> {
    const bucket = this.#buckets.get(key);
    if (bucket === undefined) throw new InputError(`no bucket ${key}`);
    return bucket;
  }

  #take(): PackedRow<Source> | null {
    let key = "";
    let longest = 0;
    for (const [name, bucket] of this.#buckets) {
      if (bucket.length > longest) {
        key = name;
        longest = bucket.length;
      }
    }
    if (longest < this.#maxLen) return null;
    const bucket = this.#bucket(key);
    let length = 0;
    let count = 0;
    for (const { ids } of bucket.samples) {
      if (length + ids.length > this.#maxLen) break;
      length += ids.length;
      count++;
    }
    const taken = bucket.samples.splice(0, count);
    bucket.length -= length;
    const padding = this.#maxLen - length;
    return {
      key,
      ids: [...taken.flatMap((sample) => sample.ids), ...new Array<number>(padding).fill(this.#pad)],
      labels: [
        ...taken.flatMap((sample) => sample.labels),
        ...new Array<number>(padding).fill(IGNORED_LABEL),
      ],
      grids: taken.flatMap((sample) => sample.grids),
      imageFlags: taken.flatMap((sample) => sample.imageFlags),
      sources: taken.map((sample) => sample.source),
      padding,
    };
  }
}

function refuse<Source>(refusal: string): PushResult<Source> {
  return { key: null, refusal, rows: [] };
}

/** Cuts the endless stream of language data into rows of exactly `maxLen` ids, which are their own labels. */
export class TextPacker {
  readonly #maxLen: number;
  #waiting: number[] = [];

  constructor(maxLen: number) {
    if (!Number.isInteger(maxLen) || maxLen < 1) {
      throw new InputError(`rows of ${maxLen} ids`, { where: "maxLen", remedy: "use 1 or more" });
    }
    this.#maxLen = maxLen;
  }

  /** Takes the ids of a text and returns the rows that are now full. */
  push(ids: readonly number[]): number[][] {
    for (const id of ids) this.#waiting.push(id);
    const rows: number[][] = [];
    let start = 0;
    for (; this.#waiting.length - start >= this.#maxLen; start += this.#maxLen) {
      rows.push(this.#waiting.slice(start, start + this.#maxLen));
    }
    if (start > 0) this.#waiting = this.#waiting.slice(start);
    return rows;
  }

  /** Ids that no row has taken yet; what is needed to go on after a restart. */
  state(): readonly number[] {
    return [...this.#waiting];
  }

  /** Goes on where {@link state} was taken. Throws DataFormatError for anything but fewer than `maxLen` integers. */
  restore(state: unknown): void {
    const parsed = integers.max(this.#maxLen - 1).safeParse(state);
    if (!parsed.success) {
      throw new DataFormatError("not a packing state", { where: "packing", cause: parsed.error });
    }
    this.#waiting = parsed.data;
  }
}
