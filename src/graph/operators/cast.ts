/** @file Conversion between element types. */
import { apply, type ComputeType, kernel, type Operator, type Value, type ValueType } from "../value.ts";

/** Neither integers nor frozen 16-bit weights carry a gradient. */
const castOperator: Operator = { name: "cast", lower: kernel("Cast"), gradient: () => [undefined] };

/** ONNX TensorProto.DataType codes. */
export const ONNX_TYPE: Readonly<Record<ValueType, number>> = Object.freeze({
  float32: 1,
  uint8: 2,
  int64: 7,
  bool: 9,
  float16: 10,
  bfloat16: 16,
});

/** x converted to another element type; no gradient flows through it. */
export function cast(x: Value, dtype: ComputeType): Value {
  return x.dtype === dtype ? x : apply(castOperator, [x], dtype, x.shape, { to: ONNX_TYPE[dtype] });
}
