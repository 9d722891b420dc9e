/** @file Conversion between element types. */
import { apply, type Operator, type Value, type ValueType } from "../value.ts";

/** Integers carry no gradient. */
const castOperator: Operator = { name: "cast", onnx: { type: "Cast" }, gradient: () => [undefined] };

/** ONNX TensorProto.DataType codes. */
export const ONNX_TYPE: Readonly<Record<ValueType, number>> = Object.freeze({
  float32: 1,
  int64: 7,
  bool: 9,
});

/** x converted to another element type; no gradient flows through it. */
export function cast(x: Value, dtype: ValueType): Value {
  return x.dtype === dtype ? x : apply(castOperator, [x], dtype, x.shape, { to: ONNX_TYPE[dtype] });
}
