/** @file Tensors of float64 numbers for reference computations: plain loops, no speed, nothing shared with the operators. */

export interface Tensor64 {
  readonly shape: readonly number[];
  /** Row-major. */
  readonly data: readonly number[];
}

export type Index = readonly number[];

/** Every index of a shape in row-major order; a scalar has one, the empty index. */
export function* indicesOf(shape: readonly number[]): Generator<number[]> {
  const count = shape.reduce((a, b) => a * b, 1);
  for (let flat = 0; flat < count; flat++) {
    const index = new Array<number>(shape.length);
    let rest = flat;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const size = shape[axis] as number;
      index[axis] = rest % size;
      rest = Math.floor(rest / size);
    }
    yield index;
  }
}

/** A tensor from a function of the index. */
export function generate(shape: readonly number[], element: (index: Index) => number): Tensor64 {
  const data: number[] = [];
  for (const index of indicesOf(shape)) data.push(element(index));
  return { shape, data };
}

/** The element at an index. Throws RangeError outside, so that a reference cannot read past an edge unnoticed. */
export function at(tensor: Tensor64, index: Index): number {
  let flat = 0;
  tensor.shape.forEach((size, axis) => {
    const place = index[axis];
    if (place === undefined || place < 0 || place >= size) {
      throw new RangeError(`[${index}] lies outside [${tensor.shape}]`);
    }
    flat = flat * size + place;
  });
  if (index.length !== tensor.shape.length)
    throw new RangeError(`[${index}] is no index of [${tensor.shape}]`);
  return tensor.data[flat] as number;
}

/** The element at an index, or 0 outside: zero padding. */
export function atOrZero(tensor: Tensor64, index: Index): number {
  const inside = tensor.shape.every((size, axis) => {
    const place = index[axis] as number;
    return place >= 0 && place < size;
  });
  return inside ? at(tensor, index) : 0;
}

/** The element that numpy's broadcasting reads for an index of the wider result. */
export function atBroadcast(tensor: Tensor64, index: Index): number {
  const extra = index.length - tensor.shape.length;
  return at(
    tensor,
    tensor.shape.map((size, axis) => (size === 1 ? 0 : (index[axis + extra] as number))),
  );
}

/** Shape of an elementwise result; the caller's shapes fit. */
export function broadcastSizes(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const left = a[axis - rank + a.length] ?? 1;
    const right = b[axis - rank + b.length] ?? 1;
    return left === 1 ? right : left;
  });
}

/** Sum of f(0) to f(count - 1). */
export function sumOver(count: number, f: (k: number) => number): number {
  let total = 0;
  for (let k = 0; k < count; k++) total += f(k);
  return total;
}

/** Sum of `element` over all indices of `shape`. */
export function sumIndices(shape: readonly number[], element: (index: Index) => number): number {
  let total = 0;
  for (const index of indicesOf(shape)) total += element(index);
  return total;
}
