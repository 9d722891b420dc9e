/** @file What writing can be told. */
import type { TextSampling } from "./choose-token.ts";

export const DEFAULT_MAX_TOKENS = 64;
export const DEFAULT_TEXT_SEED = 0;

export interface WriteOptions extends TextSampling {
  /** Most tokens to write, from 1. Default 64. */
  readonly maxTokens?: number;
  /** From 0 to 2^53 - 1; counts only above temperature 0. Default 0. */
  readonly seed?: number;
  /** Cancels while loading, reading the prompt or picture, and between tokens. */
  readonly signal?: AbortSignal;
}
