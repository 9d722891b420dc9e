/** @file What an open model has done, for those who count it. */

export type ModelWork =
  /** Prompts of pictures that join: tokens of all rows, and those of them that were known from before. */
  | { readonly kind: "prompts"; readonly tokens: number; readonly known: number }
  /** Tokens that the image head drew together: solver steps of all of them, and of the one with most. */
  | {
      readonly kind: "head";
      readonly tokens: number;
      readonly steps: number;
      readonly longest: number;
      readonly seconds: number;
    }
  /** Image tokens that the backbone read in one run, of so many rows: branches of all pictures. */
  | { readonly kind: "backbone"; readonly rows: number; readonly seconds: number }
  /** A picture, or a look at an unfinished one, in seconds that may have waited for another one. */
  | { readonly kind: "decoded"; readonly seconds: number };

export type WorkWatch = (work: ModelWork) => void;

/** What a model is at. */
export interface ModelLoad {
  /** Pictures that are drawn. */
  readonly pictures: number;
  /** Bytes of their keys and values that are in memory. */
  readonly cacheBytes: number;
  /** Bytes that these may take; infinite without a bound. */
  readonly cacheLimit: number;
  /** Bytes of keys and values of prompts that are kept. */
  readonly promptBytes: number;
}

/** Seconds that work takes. */
export async function timed<Result>(
  work: () => Promise<Result>,
): Promise<{ readonly result: Result; readonly seconds: number }> {
  const started = performance.now();
  const result = await work();
  return { result, seconds: (performance.now() - started) / 1000 };
}
