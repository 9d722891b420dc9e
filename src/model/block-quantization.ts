/** @file Rounds matrices to integers in blocks, to nearest, in the layout that the block operators read. */
import { type BlockFormat, packedShapes } from "./weight-format.ts";

export interface PackedBlocks {
  /** [outputs, blocks, blockSize * bits / 8] */
  readonly packed: Uint8Array;
  /** [outputs, blocks] */
  readonly scales: Float32Array;
  /** [outputs, ceil(blocks * bits / 8)], undefined for symmetric blocks. */
  readonly zeroPoints: Uint8Array | undefined;
}

/** A number is scale * (integer - zero). */
interface BlockGrid {
  readonly scale: number;
  readonly zero: number;
}

/**
 * Symmetric: the number farthest from zero becomes the lowest integer, of which there is one more than of positive
 * ones; so the scale may be negative.
 */
function symmetricGrid(block: Float32Array, levels: number): BlockGrid {
  let farthest = 0;
  for (const value of block) if (Math.abs(value) > Math.abs(farthest)) farthest = value;
  return { scale: Math.fround(-farthest / (levels / 2)), zero: levels / 2 };
}

/** Lowest and highest number to the ends of the integers; zero stays exact. */
function offsetGrid(block: Float32Array, levels: number): BlockGrid {
  let low = 0;
  let high = 0;
  for (const value of block) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const scale = Math.fround((high - low) / (levels - 1));
  return { scale, zero: scale === 0 ? levels / 2 : Math.round(-low / scale) };
}

/**
 * Packs a matrix. The last block of a row is filled up with zeros.
 * @param values [outputs, inputs], row-major.
 */
export function quantizeBlocks(
  values: Float32Array,
  outputs: number,
  inputs: number,
  format: BlockFormat,
): PackedBlocks {
  const { bits, blockSize, symmetric } = format;
  const levels = 2 ** bits;
  const shapes = packedShapes(format, outputs, inputs);
  const [, blocks, bytesPerBlock] = shapes.packed;
  const packed = new Uint8Array(outputs * blocks * bytesPerBlock);
  const scales = new Float32Array(outputs * blocks);
  const zeroPoints = symmetric ? undefined : new Uint8Array(outputs * shapes.zeroPoints[1]);
  for (let row = 0; row < outputs; row++) {
    for (let block = 0; block < blocks; block++) {
      const start = row * inputs + block * blockSize;
      const count = Math.min(blockSize, inputs - block * blockSize);
      const numbers = values.subarray(start, start + count);
      const { scale, zero } = symmetric ? symmetricGrid(numbers, levels) : offsetGrid(numbers, levels);
      scales[row * blocks + block] = scale;
      const first = (row * blocks + block) * bytesPerBlock;
      for (let i = 0; i < blockSize; i++) {
        const steps = i < count && scale !== 0 ? Math.round((numbers[i] as number) / scale) : 0;
        put(packed, first, i, bits, Math.min(Math.max(steps + zero, 0), levels - 1));
      }
      if (zeroPoints !== undefined) put(zeroPoints, row * shapes.zeroPoints[1], block, bits, zero);
    }
  }
  return { packed, scales, zeroPoints };
}

/**
 * What packed blocks stand for: the inverse of {@link quantizeBlocks}, up to its rounding.
 * @returns [outputs, inputs], row-major.
 */
export function dequantizeBlocks(
  { packed, scales, zeroPoints }: PackedBlocks,
  outputs: number,
  inputs: number,
  format: BlockFormat,
): Float32Array {
  const { bits, blockSize } = format;
  const shapes = packedShapes(format, outputs, inputs);
  const [, blocks, bytesPerBlock] = shapes.packed;
  const values = new Float32Array(outputs * inputs);
  for (let row = 0; row < outputs; row++) {
    for (let block = 0; block < blocks; block++) {
      const first = (row * blocks + block) * bytesPerBlock;
      const scale = scales[row * blocks + block] as number;
      const zero =
        zeroPoints === undefined
          ? 2 ** (bits - 1)
          : integerAt(zeroPoints, row * shapes.zeroPoints[1], block, bits);
      const start = row * inputs + block * blockSize;
      const count = Math.min(blockSize, inputs - block * blockSize);
      for (let i = 0; i < count; i++) values[start + i] = scale * (integerAt(packed, first, i, bits) - zero);
    }
  }
  return values;
}

/** Integer `index` of those that begin at a byte. */
function integerAt(bytes: Uint8Array, first: number, index: number, bits: 4 | 8): number {
  const byte = bytes[first + Math.floor((index * bits) / 8)] as number;
  return bits === 8 ? byte : (byte >> (4 * (index % 2))) & 15;
}

/** Writes integer `index` of those that begin at a byte. */
function put(bytes: Uint8Array, first: number, index: number, bits: 4 | 8, value: number): void {
  const place = first + Math.floor((index * bits) / 8);
  bytes[place] = (bytes[place] as number) | (value << ((index * bits) % 8));
}
