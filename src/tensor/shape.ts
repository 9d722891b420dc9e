/** @file Shapes as plain lists of sizes, and what follows from them. Row-major throughout. */

import { ShapeError } from "../errors.ts";
import { bytesPerElement, type DType } from "./dtype.ts";

/** No tensor in use has more than 5 axes; a bound keeps hostile headers from making long lists. */
export const MAX_RANK = 32;

/**
 * Number of elements. A scalar (`[]`) has one.
 * Throws ShapeError if a size is not a non-negative integer, or the product leaves the safe integers.
 */
export function elementCount(shape: readonly number[]): number {
  if (shape.length > MAX_RANK) throw new ShapeError(`${shape.length} axes, more than ${MAX_RANK}`);
  let count = 1;
  let empty = false;
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 0) {
      throw new ShapeError(`[${shape.join(", ")}] has a size that is not a non-negative integer`);
    }
    // Zero sizes are set aside so that [0, huge, huge] is judged by its huge axes too.
    if (size === 0) empty = true;
    else count *= size;
    if (!Number.isSafeInteger(count)) {
      throw new ShapeError(`[${shape.join(", ")}] has more elements than can be counted`);
    }
  }
  return empty ? 0 : count;
}

/** Bytes of a contiguous tensor. Throws ShapeError as {@link elementCount} does. */
export function byteLength(dtype: DType, shape: readonly number[]): number {
  const bytes = elementCount(shape) * bytesPerElement(dtype);
  if (!Number.isSafeInteger(bytes)) {
    throw new ShapeError(`[${shape.join(", ")}] of ${dtype} has more bytes than can be counted`);
  }
  return bytes;
}

/** Strides, in elements, of a contiguous row-major tensor. */
export function contiguousStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis]!;
  }
  return strides;
}

/** True if both shapes have the same rank and sizes. */
export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}
