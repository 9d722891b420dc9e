/** @file Values held between two bounds. */
import {
  apply,
  constant,
  expectType,
  kernel,
  type Operator,
  requiredInput,
  shapeError,
  type Value,
} from "../value.ts";
import { mul, scale, sign, sub } from "./elementwise.ts";

const clampOperator: Operator = {
  name: "clamp",
  lower: kernel("Clip"),
  gradient: (node, [gradient]) => {
    if (gradient === undefined) return [];
    const [x, low, high] = [0, 1, 2].map((index) => requiredInput(node, index)) as [Value, Value, Value];
    // 1 between the bounds, 0 outside, 1/2 on them.
    const isInside = scale(sub(sign(sub(x, low)), sign(sub(x, high))), 0.5);
    return [mul(gradient, isInside)];
  },
};

/** min(max(x, low), high), elementwise. */
export function clamp(x: Value, low: number, high: number): Value {
  expectType("clamp", x, "float32");
  if (!(low < high)) throw shapeError("clamp", `bounds ${low} and ${high} are not in order`);
  return apply(clampOperator, [x, constant(low), constant(high)], "float32", x.shape);
}
