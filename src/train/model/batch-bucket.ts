/** @file Groups packed rows into batches whose images share one grid (docs/nextstep-spec.md 4.2). */

import { ConfigError, DataFormatError } from "../../errors.ts";
import { type Grid, gridText } from "../../sequence/segments.ts";
import { choose } from "./captions.ts";
import { MIXED_GRIDS_KEY } from "./training-sample.ts";

interface Waiting<Row> {
  readonly row: Row;
  readonly hasImages: boolean;
}

/** Rows that no batch has taken yet, as plain JSON (if the rows are). */
export interface BatchBucketState<Row> {
  readonly buckets: readonly (readonly [key: string, rows: readonly Waiting<Row>[]])[];
}

/**
 * Rows wait in the bucket of their grid until there are `batchSize`. Rows of text alone join any bucket at random,
 * but not as the last row of a batch without images; where no other place is left they make up such a batch. (The
 * published code throws them away there, and with a batch size of 1 never trains on text.)
 */
export class BatchBucket<Row> {
  readonly #batchSize: number;
  readonly #buckets = new Map<string, Waiting<Row>[]>();

  /** Throws ConfigError for a batch size below 1. */
  constructor(options: { readonly batchSize: number; readonly grids: readonly Grid[] }) {
    if (!Number.isInteger(options.batchSize) || options.batchSize < 1) {
      throw new ConfigError(`a batch of ${options.batchSize} rows`, {
        where: "batch size",
        remedy: "use 1 or more",
      });
    }
    this.#batchSize = options.batchSize;
    for (const grid of options.grids) this.#buckets.set(gridText(grid), []);
    this.#buckets.set(MIXED_GRIDS_KEY, []);
  }

  /**
   * Takes a row and returns the batch that it completes, or null.
   * Throws ConfigError for a key that is no bucket.
   * @param key bucket of the row's images, or null for a row of text alone
   * @param random uniform in [0, 1), called only for rows of text
   */
  push(row: Row, key: string | null, random: () => number): Row[] | null {
    const chosen = key ?? this.#placeForText(random);
    const bucket = this.#buckets.get(chosen);
    if (bucket === undefined) throw new ConfigError(`no bucket ${chosen}`);
    bucket.push({ row, hasImages: key !== null });
    if (bucket.length < this.#batchSize) return null;
    this.#buckets.set(chosen, []);
    return bucket.map((waiting) => waiting.row);
  }

  /** What is needed to go on after a restart. */
  state(): BatchBucketState<Row> {
    return { buckets: [...this.#buckets].map(([key, rows]) => [key, [...rows]] as const) };
  }

  /**
   * Goes on where {@link state} was taken, in place of what waits now.
   * Throws DataFormatError for buckets that this run does not have or that are too full.
   */
  restore({ buckets }: BatchBucketState<Row>): void {
    const fresh = new Map(buckets);
    for (const [key, rows] of fresh) {
      if (!this.#buckets.has(key) || rows.length >= this.#batchSize) {
        throw new DataFormatError(`a bucket ${key} with ${rows.length} rows does not fit this run`, {
          where: "batches",
          remedy: "resume with the image size and batch size that the run was started with",
        });
      }
    }
    for (const key of this.#buckets.keys()) this.#buckets.set(key, [...(fresh.get(key) ?? [])]);
  }

  #placeForText(random: () => number): string {
    const keys = [...this.#buckets.keys()];
    const open = keys.filter((key) => {
      const rows = this.#buckets.get(key) ?? [];
      return rows.length < this.#batchSize - 1 || rows.some((waiting) => waiting.hasImages);
    });
    return choose(open.length === 0 ? keys : open, random);
  }
}
