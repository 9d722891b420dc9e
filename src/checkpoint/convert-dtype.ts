/** @file Weights rounded to another float type while they are written, for models that ship at half precision. */
import { UnsupportedError } from "../errors.ts";
import type { TensorToWrite } from "../formats/tensor-source.ts";
import { type DType, isFloat } from "../tensor/dtype.ts";
import { fromFloat32, toFloat32 } from "../tensor/tensor.ts";

export type WeightDType = "float32" | "float16" | "bfloat16";

/** Exponent bits that all ones mean infinity or NaN in a float16. */
const FLOAT16_EXPONENT = 0x7c00;

/**
 * The same tensors, floating ones rounded to nearest in `dtype` when their turn to be written comes; others pass.
 * @throws UnsupportedError, on loading, when a finite value is too large for float16: it would become infinite.
 */
export function convertTensors(tensors: readonly TensorToWrite[], dtype: WeightDType): TensorToWrite[] {
  return tensors.map((tensor) => (isFloat(tensor.dtype) ? convert(tensor, dtype) : tensor));
}

function convert(tensor: TensorToWrite, dtype: DType): TensorToWrite {
  if (tensor.dtype === dtype) return tensor;
  return {
    name: tensor.name,
    dtype,
    shape: tensor.shape,
    async load() {
      const values = toFloat32(await tensor.load());
      const converted = fromFloat32(dtype, tensor.shape, values);
      if (dtype === "float16") refuseOverflow(tensor.name, values, converted.data);
      return converted;
    },
  };
}

function refuseOverflow(name: string, values: Float32Array, bits: ArrayLike<number | bigint>): void {
  for (let i = 0; i < values.length; i++) {
    const overflowed = (Number(bits[i]) & FLOAT16_EXPONENT) === FLOAT16_EXPONENT;
    if (overflowed && Number.isFinite(values[i])) {
      throw new UnsupportedError(`${values[i]} does not fit float16`, {
        where: `tensor "${name}"`,
        remedy: "write bfloat16",
      });
    }
  }
}
