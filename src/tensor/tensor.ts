/** @file A tensor as plain data: dtype, shape, elements in row-major order. */

import { ShapeError, UnsupportedError } from "../errors.ts";
import { bytesPerElement, type DType, type TypedArray } from "./dtype.ts";
import { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from "./half.ts";
import { elementCount } from "./shape.ts";

export interface Tensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** `elementCount(shape)` elements; 16-bit floats as bits (Uint16Array), booleans as 0 or 1 bytes. */
  readonly data: TypedArray;
}

/** Builds a tensor. Throws ShapeError if `data` has another element count or size than shape and dtype say. */
export function tensor(dtype: DType, shape: readonly number[], data: TypedArray): Tensor {
  if (data.length !== elementCount(shape) || data.BYTES_PER_ELEMENT !== bytesPerElement(dtype)) {
    throw new ShapeError(
      `${data.length} elements of ${data.BYTES_PER_ELEMENT} bytes do not make a ${dtype} tensor of shape [${shape.join(", ")}]`,
    );
  }
  return { dtype, shape, data };
}

/** A float32 tensor over `data` (no copy). */
export function float32Tensor(shape: readonly number[], data: Float32Array): Tensor {
  return tensor("float32", shape, data);
}

/**
 * The elements as float32: the array itself if it is float32 already, else a converted copy.
 * float64 and wide integers are rounded. Throws UnsupportedError for 8-bit floats.
 */
export function toFloat32(source: Tensor): Float32Array {
  const { data, dtype } = source;
  if (data instanceof Float32Array) return data;
  if (dtype === "float16" || dtype === "bfloat16") {
    if (!(data instanceof Uint16Array)) throw new ShapeError(`${dtype} elements must be a Uint16Array`);
    return dtype === "float16" ? float16ToFloat32(data) : bfloat16ToFloat32(data);
  }
  if (dtype === "float8_e4m3fn" || dtype === "float8_e5m2") {
    throw new UnsupportedError(`${dtype} cannot be widened`, { remedy: "convert the weights to bfloat16" });
  }
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    const out = new Float32Array(data.length);
    for (let i = 0; i < data.length; i++) out[i] = Number(data[i]!);
    return out;
  }
  return new Float32Array(data);
}

/**
 * float32 elements as a tensor of a floating dtype (no copy for float32), rounded to nearest even.
 * Throws UnsupportedError for any other dtype.
 */
export function fromFloat32(dtype: DType, shape: readonly number[], values: Float32Array): Tensor {
  switch (dtype) {
    case "float32":
      return tensor(dtype, shape, values);
    case "float16":
      return tensor(dtype, shape, float32ToFloat16(values));
    case "bfloat16":
      return tensor(dtype, shape, float32ToBfloat16(values));
    case "float64":
      return tensor(dtype, shape, new Float64Array(values));
    default:
      throw new UnsupportedError(`float32 values cannot be stored as ${dtype}`);
  }
}
