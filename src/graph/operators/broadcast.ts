/** @file Values repeated along axes, and the transpose of that: sums along axes. Each is the other's gradient. */
import { normalizeAxes } from "../axes.ts";
import { broadcastShapes, type Dim, formatShape, type Shape, sameShape } from "../size.ts";
import {
  apply,
  constant,
  expectType,
  kernel,
  type Operator,
  requiredInput,
  shapeError,
  sizes,
  type Value,
} from "../value.ts";
import { reshape } from "./reshape.ts";

/** A float32 value of zeros. */
export function zeros(shape: Shape): Value {
  return expand(constant(0), shape);
}

const expandOperator: Operator = {
  name: "expand",
  lower: kernel("Expand"),
  gradient: (node, [gradient]) =>
    gradient === undefined ? [] : [sumToShape(gradient, requiredInput(node, 0).shape), undefined],
};

/** x repeated to a larger shape under numpy's broadcasting rules. */
export function expand(x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  const result = broadcastShapes(x.shape, shape);
  if (result === undefined || !sameShape(result, shape)) {
    throw shapeError("expand", `${formatShape(x.shape)} does not expand to ${formatShape(shape)}`);
  }
  return apply(expandOperator, [x, sizes(shape)], x.dtype, shape);
}

export interface ReduceOptions {
  /** Keep reduced axes with size 1. Default false. */
  readonly keepDims?: boolean;
}

const reduceSumOperator: Operator = {
  name: "reduceSum",
  lower: kernel("ReduceSum"),
  gradient: (node, [gradient]) => {
    if (gradient === undefined) return [];
    const x = requiredInput(node, 0);
    const axes = axesOf(requiredInput(node, 1));
    return [expand(restoreAxes(gradient, x, axes), x.shape)];
  },
};

function axesOf(value: Value): readonly number[] {
  return value.producer.kind === "constant" ? value.producer.data : [];
}

/** Gives a reduced value its reduced axes back, with size 1. */
function restoreAxes(reduced: Value, original: Value, axes: readonly number[]): Value {
  if (reduced.shape.length === original.shape.length) return reduced;
  return reshape(
    reduced,
    original.shape.map((dim, axis) => (axes.includes(axis) ? 1 : dim)),
  );
}

/** Sum over `axes` (negative counts from the end). x [...], result without those axes, or with size 1. */
export function reduceSum(x: Value, axes: readonly number[], options: ReduceOptions = {}): Value {
  expectType("reduceSum", x, "float32");
  const keepDims = options.keepDims ?? false;
  const over = normalizeAxes("reduceSum", axes, x.shape.length);
  if (over.length === 0) throw shapeError("reduceSum", `no axes given for ${formatShape(x.shape)}`);
  const shape: Dim[] = [];
  x.shape.forEach((dim, axis) => {
    if (!over.includes(axis)) shape.push(dim);
    else if (keepDims) shape.push(1);
  });
  const axesValue = constant(over, [over.length], "int64");
  return apply(reduceSumOperator, [x, axesValue], "float32", shape, { keepdims: keepDims ? 1 : 0 });
}

/** Sums a gradient over the axes along which its operand was broadcast. */
export function sumToShape(gradient: Value, shape: Shape): Value {
  if (sameShape(gradient.shape, shape)) return gradient;
  const extra = gradient.shape.length - shape.length;
  const axes: number[] = [];
  gradient.shape.forEach((dim, axis) => {
    if (axis < extra || (shape[axis - extra] === 1 && dim !== 1)) axes.push(axis);
  });
  const summed = axes.length === 0 ? gradient : reduceSum(gradient, axes, { keepDims: true });
  return sameShape(summed.shape, shape) ? summed : reshape(summed, shape);
}
