/** @file Image tokens as they are given and taken. */

/** Image tokens of a batch, row-major. */
export interface TokenBatch {
  readonly data: Float32Array;
  /** [pictures, tokens, 64] */
  readonly shape: readonly number[];
}
