/** @file Tensors whose elements do not lie in row-major order: views of torch storages. */

import type { TypedArray } from "../tensor/dtype.ts";
import { contiguousStrides, elementCount } from "../tensor/shape.ts";

/**
 * Copies a strided view to row-major order, moving bits: no number changes on the way. `from` and `to` have elements
 * of one size; strides are in elements and lead nowhere outside `from`.
 */
export function gatherStrided(
  from: TypedArray,
  to: TypedArray,
  shape: readonly number[],
  strides: readonly number[],
): void {
  const bits = <A>(View: new (buffer: ArrayBufferLike, at: number, length: number) => A): [A, A] => [
    new View(from.buffer, from.byteOffset, from.length),
    new View(to.buffer, to.byteOffset, to.length),
  ];
  switch (from.BYTES_PER_ELEMENT) {
    case 1:
      gatherElements<number>(...bits(Uint8Array), shape, strides);
      break;
    case 2:
      gatherElements<number>(...bits(Uint16Array), shape, strides);
      break;
    case 4:
      gatherElements<number>(...bits(Uint32Array), shape, strides);
      break;
    default:
      gatherElements<bigint>(...bits(BigUint64Array), shape, strides);
  }
}

function gatherElements<T extends number | bigint>(
  from: { readonly [index: number]: T },
  to: { [index: number]: T },
  shape: readonly number[],
  strides: readonly number[],
): void {
  const inner = shape.length - 1;
  const innerSize = shape[inner]!;
  const innerStride = strides[inner]!;
  const outerCount = elementCount(shape.slice(0, inner));
  const index = new Array<number>(inner).fill(0);
  let written = 0;
  let start = 0;
  for (let outer = 0; outer < outerCount; outer++) {
    for (let i = 0; i < innerSize; i++) to[written++] = from[start + i * innerStride]!;
    // Odometer over the outer axes.
    for (let axis = inner - 1; axis >= 0; axis--) {
      index[axis]! += 1;
      start += strides[axis]!;
      if (index[axis]! < shape[axis]!) break;
      start -= shape[axis]! * strides[axis]!;
      index[axis] = 0;
    }
  }
}

/**
 * The axes from the outermost to the innermost in memory, if a tensor of these strides fills its memory without gaps:
 * row-major for `[0, 1, 2, 3]`, channels last for `[0, 2, 3, 1]`. Undefined for views with gaps or overlaps.
 */
export function memoryOrder(shape: readonly number[], strides: readonly number[]): number[] | undefined {
  if (shape.length !== strides.length) return undefined;
  // Axes of size one may have any stride; of equal strides at most one is of another size.
  const order = shape
    .map((_, axis) => axis)
    .sort((a, b) => strides[b]! - strides[a]! || shape[a]! - shape[b]!);
  let expected = 1;
  for (const axis of [...order].reverse()) {
    if (shape[axis] !== 1 && strides[axis] !== expected) return undefined;
    expected *= shape[axis]!;
  }
  return order;
}

/** Row-major elements laid out in another {@link memoryOrder}. */
export function inMemoryOrder(
  rowMajor: TypedArray,
  shape: readonly number[],
  order: readonly number[],
): Uint8Array {
  const strides = contiguousStrides(shape);
  const target = rowMajor.slice();
  gatherStrided(
    rowMajor,
    target,
    order.map((axis) => shape[axis]!),
    order.map((axis) => strides[axis]!),
  );
  return new Uint8Array(target.buffer, target.byteOffset, target.byteLength);
}
