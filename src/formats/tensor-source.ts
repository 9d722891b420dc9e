/** @file What every weight file looks like to its reader: named tensors, read one at a time. */

import { ModelFormatError } from "../errors.ts";
import type { DType } from "../tensor/dtype.ts";
import type { Tensor } from "../tensor/tensor.ts";
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

/** Named tensors in a file or a set of files. Nothing but headers is in memory. */
export interface TensorSource {
  /** For messages: the path it was opened by. */
  readonly name: string;
  /** In the order of the file. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: ReadonlyMap<string, string>;
  /** Reads one tensor, row-major. Throws ModelFormatError if there is none of that name. */
  readTensor(name: string): Promise<Tensor>;
  /** The file that holds a tensor, if there is one that another thread can open for itself. Throws as above. */
  fileOf(name: string): string | undefined;
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

/** Tensors in memory as a list to write, in the order given. */
export function tensorsToWrite(tensors: Iterable<readonly [string, Tensor]>): TensorToWrite[] {
  return Array.from(tensors, ([name, value]) => ({
    name,
    dtype: value.dtype,
    shape: value.shape,
    load: () => value,
  }));
}
