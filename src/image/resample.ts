/**
 * @file Separable resampling of 8-bit RGB with fixed-point weights, the arithmetic of Pillow (which published training
 * and editing use), so that resized pictures are the same on every machine (docs/nextstep-spec.md 4.3).
 */

import { ShapeError } from "../errors.ts";
import { checkImage, type ImageSize, type RgbImage } from "./pixels.ts";

export type Filter = "box" | "bicubic" | "lanczos";

interface Kernel {
  /** Half width in source pixels at scale 1. */
  readonly support: number;
  weight(x: number): number;
}

/** Keys' cubic with the parameter that Pillow chose. */
const CUBIC_A = -0.5;

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

const KERNELS: Readonly<Record<Filter, Kernel>> = {
  box: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bicubic: {
    support: 2,
    weight: (signed) => {
      const x = Math.abs(signed);
      if (x < 1) return ((CUBIC_A + 2) * x - (CUBIC_A + 3)) * x * x + 1;
      return x < 2 ? (((x - 5) * x + 8) * x - 4) * CUBIC_A : 0;
    },
  },
  lanczos: { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/** Bits behind the point: 32, less 8 for the pixel and 2 for overshoot and sign. */
const PRECISION_BITS = 22;
const HALF = 1 << (PRECISION_BITS - 1);

interface Weights {
  /** First source index of each output. */
  readonly first: Int32Array;
  /** Number of source values of each output. */
  readonly count: Int32Array;
  /** [outputs, taps], fixed point. */
  readonly values: Int32Array;
  readonly taps: number;
}

/**
 * Source range and weights along one axis, for the outputs `start` to `start + size` of a picture resized from `from`
 * to `to` values.
 */
function axisWeights(from: number, to: number, start: number, size: number, kernel: Kernel): Weights {
  const scale = from / to;
  // A picture that shrinks is low-passed: the kernel widens with the scale. One that grows is interpolated.
  const spread = Math.max(1, scale);
  const support = kernel.support * spread;
  const taps = Math.ceil(support) * 2 + 1;
  const first = new Int32Array(size);
  const count = new Int32Array(size);
  const values = new Int32Array(size * taps);
  const raw = new Float64Array(taps);
  for (let out = 0; out < size; out++) {
    const centre = (start + out + 0.5) * scale;
    const low = Math.max(0, Math.trunc(centre - support + 0.5));
    const reach = Math.min(from, Math.trunc(centre + support + 0.5)) - low;
    let sum = 0;
    for (let n = 0; n < reach; n++) {
      const weight = kernel.weight((n + low - centre + 0.5) * (1 / spread));
      raw[n] = weight;
      sum += weight;
    }
    first[out] = low;
    count[out] = reach;
    for (let n = 0; n < reach; n++) {
      const weight = (sum === 0 ? (raw[n] ?? 0) : (raw[n] ?? 0) / sum) * (1 << PRECISION_BITS);
      values[out * taps + n] = Math.trunc(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
  }
  return { first, count, values, taps };
}

/** A part of a picture: its upper left corner and its size. */
export interface Window {
  readonly offset: readonly [top: number, left: number];
  readonly size: ImageSize;
}

/**
 * Resizes a picture, first along rows, then along columns, each rounded to 8 bits, and returns a window of the result.
 * Only that window is computed: its memory and time do not depend on the size that it is cut from.
 * @param window the whole result if left out
 * Throws ShapeError for a size that is not at least 1 by 1, or a window that is not inside it.
 */
export function resample(
  image: RgbImage,
  size: ImageSize,
  filter: Filter,
  window: Window = { offset: [0, 0], size },
): RgbImage {
  checkImage(image);
  checkWindow(size, window);
  const kernel = KERNELS[filter];
  const [top, left] = window.offset;
  const [height, width] = window.size;
  const columns = axisWeights(image.height, size[0], top, height, kernel);
  const firstRow = size[0] === image.height ? top : (columns.first[0] as number);
  const endRow =
    size[0] === image.height
      ? top + height
      : (columns.first[height - 1] as number) + (columns.count[height - 1] as number);
  const rows = { first: firstRow, count: endRow - firstRow };
  let data: Uint8Array;
  if (size[1] === image.width) data = cutRows(image, rows, left, width);
  else data = resampleRows(image, rows, axisWeights(image.width, size[1], left, width, kernel), width);
  if (size[0] !== image.height) data = resampleColumns(data, 3 * width, height, firstRow, columns);
  return { width, height, data };
}

function checkWindow(size: ImageSize, { offset, size: part }: Window): void {
  for (const axis of [0, 1] as const) {
    const inside = offset[axis] >= 0 && part[axis] >= 1 && offset[axis] + part[axis] <= size[axis];
    const whole = [size[axis], offset[axis], part[axis]].every(Number.isInteger);
    if (!inside || !whole) {
      throw new ShapeError(`no ${part.join("x")} window at ${offset.join(",")} of ${size.join("x")} pixels`);
    }
  }
}

interface RowRange {
  readonly first: number;
  readonly count: number;
}

function cutRows(image: RgbImage, rows: RowRange, left: number, width: number): Uint8Array {
  const out = new Uint8Array(rows.count * width * 3);
  for (let row = 0; row < rows.count; row++) {
    const start = 3 * ((rows.first + row) * image.width + left);
    out.set(image.data.subarray(start, start + 3 * width), 3 * row * width);
  }
  return out;
}

function resampleRows(
  { data, width: from }: RgbImage,
  rows: RowRange,
  { first, count, values, taps }: Weights,
  to: number,
): Uint8Array {
  const out = new Uint8ClampedArray(rows.count * to * 3);
  let target = 0;
  for (let row = rows.first; row < rows.first + rows.count; row++) {
    for (let x = 0; x < to; x++) {
      let at = 3 * (row * from + (first[x] as number));
      let weight = x * taps;
      let red = HALF;
      let green = HALF;
      let blue = HALF;
      for (const end = weight + (count[x] as number); weight < end; weight++) {
        const factor = values[weight] as number;
        red = (red + (data[at++] as number) * factor) | 0;
        green = (green + (data[at++] as number) * factor) | 0;
        blue = (blue + (data[at++] as number) * factor) | 0;
      }
      out[target++] = red >> PRECISION_BITS;
      out[target++] = green >> PRECISION_BITS;
      out[target++] = blue >> PRECISION_BITS;
    }
  }
  return new Uint8Array(out.buffer);
}

/** @param firstRow the picture row that `source` begins with */
function resampleColumns(
  source: Uint8Array,
  rowBytes: number,
  to: number,
  firstRow: number,
  { first, count, values, taps }: Weights,
): Uint8Array {
  const out = new Uint8ClampedArray(to * rowBytes);
  const sums = new Int32Array(rowBytes);
  for (let y = 0; y < to; y++) {
    sums.fill(HALF);
    for (let n = 0; n < (count[y] as number); n++) {
      const factor = values[y * taps + n] as number;
      const row = ((first[y] as number) - firstRow + n) * rowBytes;
      for (let byte = 0; byte < rowBytes; byte++) {
        sums[byte] = ((sums[byte] as number) + (source[row + byte] as number) * factor) | 0;
      }
    }
    for (let byte = 0; byte < rowBytes; byte++) {
      out[y * rowBytes + byte] = (sums[byte] as number) >> PRECISION_BITS;
    }
  }
  return new Uint8Array(out.buffer);
}
