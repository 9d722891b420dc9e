/**
 * @file Weights at random in the blocks of ggml (ggml-common.h), such that a matrix [outputs, inputs] has about unit gain and
 * activations stay finite.
 */
import type { StandInNoise } from "../../src/evaluate/stand-in/stand-in-noise.ts";
import { float32ToFloat16 } from "../../src/tensor/half.ts";
import { GGML_TYPES, type GgmlType } from "./gguf-layout.ts";

export type BlockType = Exclude<GgmlType, "F32">;

/** Blocks made at a time. */
const PIECE_BLOCKS = 65_536;

/**
 * What a block's float16 numbers are, from its first byte on, in units of a weight's deviation. The rest are integers, all as
 * likely.
 *
 * Q4_0: weight = d (q - 8), q of 0 to 15, whose deviation is 4.61.
 * Q4_K: weight = d s q - m n, s and n of 0 to 63 by six bits. With m = 7.5 d, the mean of q, it has mean 0 and deviation 258 d.
 */
const FLOATS: Readonly<Record<BlockType, readonly number[]>> = {
  Q4_0: [1 / 4.61],
  Q4_K: [1 / 258, 7.5 / 258],
};

/** Bytes of a matrix, in pieces of whole blocks. */
export function* blockNoise(
  noise: StandInNoise,
  name: string,
  type: BlockType,
  [outputs, inputs]: readonly [number, number],
): Generator<Uint8Array> {
  const { elements, bytes } = GGML_TYPES[type];
  const floats = float32ToFloat16(Float32Array.from(FLOATS[type], (value) => value / Math.sqrt(inputs)));
  const head = new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength);
  for (const piece of noise.integers(name, (outputs * inputs * bytes) / elements, bytes * PIECE_BLOCKS)) {
    for (let at = 0; at < piece.byteLength; at += bytes) piece.set(head, at);
    yield piece;
  }
}
