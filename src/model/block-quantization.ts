/** @file Rounds matrices to integers in blocks, in the layout that the block operators read, and back. */
import { type BlockFormat, packedShapes } from "./weight-format.ts";

export interface PackedBlocks {
  /** [outputs, blocks, blockSize * bits / 8] */
  readonly packed: Uint8Array;
  /** [outputs, blocks] */
  readonly scales: Float32Array;
  /** [outputs, ceil(blocks * bits / 8)], undefined for symmetric blocks. */
  readonly zeroPoints: Uint8Array | undefined;
}

/**
 * How a block's scale and zero point are chosen. `nearest`: so that no number is cut off. `search`: with the least sum
 * of squared errors, of ranges that cut off more and more, each with the scale that fits its integers best.
 */
export type BlockFit = "nearest" | "search";

/** A number is scale * (integer - zero). */
interface BlockGrid {
  scale: number;
  zero: number;
}

/** Shares of a block's range that are tried. With 4 bits, below them the error of normal numbers only grows. */
const SHARES = [1, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7] as const;
/** Shares without a better fit after which smaller ones are not tried. */
const PATIENCE = 2;

/**
 * Packs a matrix. The last block of a row is filled up with zeros.
 * @param values [outputs, inputs], row-major, finite.
 */
export function quantizeBlocks(
  values: Float32Array,
  outputs: number,
  inputs: number,
  format: BlockFormat,
  fit: BlockFit = "nearest",
): PackedBlocks {
  const { bits, blockSize, symmetric } = format;
  const levels = 2 ** bits;
  const shapes = packedShapes(format, outputs, inputs);
  const [, blocks, bytesPerBlock] = shapes.packed;
  const packed = new Uint8Array(outputs * blocks * bytesPerBlock);
  const scales = new Float32Array(outputs * blocks);
  const zeroPoints = symmetric ? undefined : new Uint8Array(outputs * shapes.zeroPoints[1]);
  const grid: BlockGrid = { scale: 0, zero: 0 };
  for (let row = 0; row < outputs; row++) {
    for (let block = 0; block < blocks; block++) {
      const start = row * inputs + block * blockSize;
      const end = Math.min(start + blockSize, (row + 1) * inputs);
      if (symmetric) symmetricGrid(values, start, end, levels, grid);
      else offsetGrid(values, start, end, levels, grid);
      if (fit === "search") searchGrid(values, start, end, format, grid);
      scales[row * blocks + block] = grid.scale;
      const first = (row * blocks + block) * bytesPerBlock;
      if (bits === 4) packNibbles(values, start, end, grid, packed, first, bytesPerBlock);
      else packBytes(values, start, end, grid, packed, first, bytesPerBlock);
      if (zeroPoints !== undefined) put(zeroPoints, row * shapes.zeroPoints[1], block, bits, grid.zero);
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

/**
 * Symmetric: the number farthest from zero becomes the lowest integer, of which there is one more than of positive
 * ones; so the scale may be negative.
 */
function symmetricGrid(
  values: Float32Array,
  start: number,
  end: number,
  levels: number,
  grid: BlockGrid,
): void {
  let farthest = 0;
  for (let i = start; i < end; i++) {
    const value = values[i] as number;
    if (Math.abs(value) > Math.abs(farthest)) farthest = value;
  }
  grid.scale = Math.fround(-farthest / (levels / 2));
  grid.zero = levels / 2;
}

/** Lowest and highest number to the ends of the integers; zero stays exact. */
function offsetGrid(values: Float32Array, start: number, end: number, levels: number, grid: BlockGrid): void {
  let low = 0;
  let high = 0;
  for (let i = start; i < end; i++) {
    const value = values[i] as number;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  grid.scale = Math.fround((high - low) / (levels - 1));
  grid.zero = grid.scale === 0 ? levels / 2 : Math.round(-low / grid.scale);
}

/**
 * Replaces a grid by the best of several: first of narrower ranges, then of those with the zero a step aside, or for
 * symmetric blocks with the longer side at the other end.
 */
function searchGrid(
  values: Float32Array,
  start: number,
  end: number,
  { bits, symmetric }: BlockFormat,
  grid: BlockGrid,
): void {
  if (grid.scale === 0) return;
  const top = 2 ** bits - 1;
  const { scale: widest, zero: middle } = grid;
  const best = { gain: -1, scale: 0, zero: 0, step: 0 };
  const attempt = (step: number, zero: number): boolean =>
    zero >= 0 && zero <= top && tryGrid(values, start, end, step, zero, top, best);
  let worse = 0;
  for (const share of SHARES) {
    worse = attempt(widest * share, middle) ? 0 : worse + 1;
    if (worse === PATIENCE) break;
  }
  const { step } = best;
  if (symmetric) attempt(-step, middle);
  else {
    attempt(step, middle - 1);
    attempt(step, middle + 1);
  }
  grid.scale = Math.fround(best.scale);
  grid.zero = best.zero;
}

/**
 * Rounds with a step, and keeps as `best` what comes of it if the error is less. With the integers given, the best
 * scale is the projection <w, q> / <q, q>, q being integer - zero, which takes <w, q>^2 / <q, q> off the squared error.
 * @returns whether it is.
 */
function tryGrid(
  values: Float32Array,
  start: number,
  end: number,
  step: number,
  zero: number,
  top: number,
  best: BlockGrid & { gain: number; step: number },
): boolean {
  const inverse = 1 / step;
  const shift = zero + 0.5;
  let alike = 0;
  let square = 0;
  for (let i = start; i < end; i++) {
    const value = values[i] as number;
    const steps = integerOf(value, inverse, shift, top) - zero;
    alike += value * steps;
    square += steps * steps;
  }
  const gain = square === 0 ? 0 : (alike * alike) / square;
  if (gain <= best.gain) return false;
  best.gain = gain;
  best.scale = square === 0 ? step : alike / square;
  best.zero = zero;
  best.step = step;
  return true;
}

/** The integer nearest to a number, among those that there are. */
function integerOf(value: number, inverse: number, shift: number, top: number): number {
  // What is below zero is cut to or above it, and so is cut off below.
  const integer = (value * inverse + shift) | 0;
  return integer < 0 ? 0 : integer > top ? top : integer;
}

function packNibbles(
  values: Float32Array,
  start: number,
  end: number,
  { scale, zero }: BlockGrid,
  packed: Uint8Array,
  first: number,
  bytes: number,
): void {
  const inverse = scale === 0 ? 0 : 1 / scale;
  const shift = zero + 0.5;
  for (let byte = 0; byte < bytes; byte++) {
    const i = start + 2 * byte;
    const low = i < end ? integerOf(values[i] as number, inverse, shift, 15) : zero;
    const high = i + 1 < end ? integerOf(values[i + 1] as number, inverse, shift, 15) : zero;
    packed[first + byte] = low | (high << 4);
  }
}

function packBytes(
  values: Float32Array,
  start: number,
  end: number,
  { scale, zero }: BlockGrid,
  packed: Uint8Array,
  first: number,
  bytes: number,
): void {
  const inverse = scale === 0 ? 0 : 1 / scale;
  const shift = zero + 0.5;
  for (let byte = 0; byte < bytes; byte++) {
    const i = start + byte;
    packed[first + byte] = i < end ? integerOf(values[i] as number, inverse, shift, 255) : zero;
  }
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
