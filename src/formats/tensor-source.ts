/** @file What every weight file looks like to its reader: named tensors, read one at a time. */

import { ModelFormatError } from "../errors.ts";
import { bytesPerElement, type DType } from "../tensor/dtype.ts";
import { contiguousStrides } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Unchanged } from "./byte-source.ts";
import { quoted } from "./quoted.ts";

/** What is known of a tensor before its elements are read. */
export interface StoredTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Path (or name) of the file that holds the elements. */
  readonly file: string;
  /** Bytes `begin` to `end` of `file` hold the elements, little-endian. */
  readonly begin: number;
  readonly end: number;
  /** False if the elements do not lie there gapless in row-major order; `readTensor` puts them so. */
  readonly contiguous: boolean;
  /** In elements, where the format states them. */
  readonly strides?: readonly number[];
}

/** Rows `first` to `first + count` of a tensor's first axis. */
export interface RowRange {
  readonly first: number;
  readonly count: number;
}

/** Named tensors in a file or a set of files. Nothing but headers is in memory. */
export interface TensorSource {
  /** For messages: the path it was opened by. */
  readonly name: string;
  /** In the order of the file. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: ReadonlyMap<string, string>;
  /**
   * Reads one tensor, row-major, or some of its rows and no byte beside them.
   * @throws ModelFormatError if there is none of that name, or no such rows in it.
   */
  readTensor(name: string, rows?: RowRange): Promise<Tensor>;
  /** The file that holds a tensor, if there is one that another thread can open for itself. Throws as above. */
  fileOf(name: string): string | undefined;
  /** Asks whether files are as when their headers were read. @throws DataFormatError naming one that is not. */
  checkUnchanged(what: Unchanged): Promise<void>;
  close(): Promise<void>;
}

/** A tensor to be written: its form is known at once, its elements are loaded when their turn comes. */
export interface TensorToWrite {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** How torch archives lay the elements out; other formats know row-major only. Default row-major. */
  readonly strides?: readonly number[];
  load(): Promise<Tensor> | Tensor;
}

/** Looks up a tensor. Throws ModelFormatError if there is none of that name. */
export function storedTensor<T extends StoredTensor>(
  source: { readonly name: string; readonly tensors: ReadonlyMap<string, T> },
  name: string,
): T {
  const found = source.tensors.get(name);
  if (found === undefined) {
    throw new ModelFormatError(`has no tensor ${quoted(name)}`, { where: source.name });
  }
  return found;
}

/** What is stored of some rows of a tensor; all of it without `rows`. Throws ModelFormatError if it has no such rows. */
export function rowsOf<T extends StoredTensor>(tensor: T, rows: RowRange | undefined, name: string): T {
  if (rows === undefined) return tensor;
  const { dtype, shape, file, begin, end, contiguous } = tensor;
  const { first, count } = rows;
  const [held = 0, ...row] = shape;
  if (
    !(Number.isInteger(first) && Number.isInteger(count) && first >= 0 && count >= 0 && first + count <= held)
  ) {
    throw new ModelFormatError(`tensor ${quoted(name)} [${shape}] has no rows ${first} to ${first + count}`, {
      where: file,
    });
  }
  const [stride = 0] = tensor.strides ?? contiguousStrides(shape);
  const start = begin + first * stride * bytesPerElement(dtype);
  // Where rows lie in each other, the storage is read to its end.
  const stop = contiguous ? start + count * stride * bytesPerElement(dtype) : end;
  return { ...tensor, shape: [count, ...row], begin: start, end: stop };
}

/** Tensors in memory as a list to write, in the order given. */
export function tensorsToWrite(tensors: Iterable<readonly [string, Tensor]>): TensorToWrite[] {
  return Array.from(tensors, ([name, value]) => ({
    name,
    dtype: value.dtype,
    shape: value.shape,
    load: () => value,
  }));
}
