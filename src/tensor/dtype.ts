/** @file Element types: their sizes, the typed arrays that hold them, and their names in safetensors files. */

import { ModelFormatError } from "../errors.ts";

export type DType =
  | "float64"
  | "float32"
  | "float16"
  | "bfloat16"
  | "float8_e4m3fn"
  | "float8_e5m2"
  | "int64"
  | "int32"
  | "int16"
  | "int8"
  | "uint64"
  | "uint32"
  | "uint16"
  | "uint8"
  | "bool";

/** Arrays that hold elements. 16-bit floats are kept as their bits, booleans and 8-bit floats as bytes. */
export type TypedArray =
  | Float64Array
  | Float32Array
  | BigInt64Array
  | Int32Array
  | Int16Array
  | Int8Array
  | BigUint64Array
  | Uint32Array
  | Uint16Array
  | Uint8Array;

const BYTES: Readonly<Record<DType, 1 | 2 | 4 | 8>> = {
  float64: 8,
  float32: 4,
  float16: 2,
  bfloat16: 2,
  float8_e4m3fn: 1,
  float8_e5m2: 1,
  int64: 8,
  int32: 4,
  int16: 2,
  int8: 1,
  uint64: 8,
  uint32: 4,
  uint16: 2,
  uint8: 1,
  bool: 1,
};

const SAFETENSORS_NAMES: Readonly<Record<DType, string>> = {
  float64: "F64",
  float32: "F32",
  float16: "F16",
  bfloat16: "BF16",
  float8_e4m3fn: "F8_E4M3",
  float8_e5m2: "F8_E5M2",
  int64: "I64",
  int32: "I32",
  int16: "I16",
  int8: "I8",
  uint64: "U64",
  uint32: "U32",
  uint16: "U16",
  uint8: "U8",
  bool: "BOOL",
};

/** Every dtype, in a fixed order. */
export const DTYPES: readonly DType[] = Object.freeze(Object.keys(BYTES) as DType[]);

const FROM_SAFETENSORS: ReadonlyMap<string, DType> = new Map(DTYPES.map((d) => [SAFETENSORS_NAMES[d], d]));

/** Size of one element in bytes. */
export function bytesPerElement(dtype: DType): 1 | 2 | 4 | 8 {
  return BYTES[dtype];
}

/** The name a safetensors header uses, e.g. `BF16`. */
export function safetensorsDType(dtype: DType): string {
  return SAFETENSORS_NAMES[dtype];
}

/** The dtype behind a safetensors name, or undefined if this package cannot hold it. */
export function fromSafetensorsDType(name: string): DType | undefined {
  return FROM_SAFETENSORS.get(name);
}

/** True for the types that {@link TypedArray} stores as real or bit-coded floating point numbers. */
export function isFloat(dtype: DType): boolean {
  return dtype.startsWith("float") || dtype === "bfloat16";
}

/** A zero-filled array for `count` elements of `dtype`. */
export function allocate(dtype: DType, count: number): TypedArray {
  return viewElements(dtype, new ArrayBuffer(count * BYTES[dtype]), 0, count);
}

/**
 * A typed array over `count` elements that start `byteOffset` bytes into `buffer`. No copy.
 * `byteOffset` must be a multiple of the element size (typed arrays demand it).
 */
export function viewElements(
  dtype: DType,
  buffer: ArrayBuffer,
  byteOffset: number,
  count: number,
): TypedArray {
  switch (dtype) {
    case "float64":
      return new Float64Array(buffer, byteOffset, count);
    case "float32":
      return new Float32Array(buffer, byteOffset, count);
    case "float16":
    case "bfloat16":
    case "uint16":
      return new Uint16Array(buffer, byteOffset, count);
    case "int64":
      return new BigInt64Array(buffer, byteOffset, count);
    case "int32":
      return new Int32Array(buffer, byteOffset, count);
    case "int16":
      return new Int16Array(buffer, byteOffset, count);
    case "int8":
      return new Int8Array(buffer, byteOffset, count);
    case "uint64":
      return new BigUint64Array(buffer, byteOffset, count);
    case "uint32":
      return new Uint32Array(buffer, byteOffset, count);
    case "uint8":
    case "bool":
    case "float8_e4m3fn":
    case "float8_e5m2":
      return new Uint8Array(buffer, byteOffset, count);
  }
}

/**
 * Little-endian bytes as elements of `dtype`; shares memory where alignment allows it, else copies once.
 * Throws ModelFormatError if the byte count is not a whole number of elements.
 */
export function elementsFromBytes(dtype: DType, bytes: Uint8Array): TypedArray {
  const size = BYTES[dtype];
  if (bytes.byteLength % size !== 0) {
    throw new ModelFormatError(`${bytes.byteLength} bytes are not a whole number of ${dtype} elements`);
  }
  const { buffer } = bytes;
  if (buffer instanceof ArrayBuffer && bytes.byteOffset % size === 0) {
    return viewElements(dtype, buffer, bytes.byteOffset, bytes.byteLength / size);
  }
  const copy = new Uint8Array(bytes);
  return viewElements(dtype, copy.buffer, 0, bytes.byteLength / size);
}

/** The bytes behind a typed array, little-endian as on every platform Node runs on. No copy. */
export function bytesOf(data: TypedArray): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
