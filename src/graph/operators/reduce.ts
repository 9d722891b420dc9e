/** @file Sums and means over axes. */
import { normalizeAxes } from "../axes.ts";
import { type Dim, formatShape, sizeOf } from "../size.ts";
import {
  apply,
  constant,
  expectType,
  type Operator,
  requiredInput,
  shapeError,
  sizes,
  type Value,
} from "../value.ts";
import { cast } from "./cast.ts";
import { div, scale } from "./elementwise.ts";
import { expand, reshape } from "./layout.ts";

export interface ReduceOptions {
  /** Keep reduced axes with size 1. Default false. */
  readonly keepDims?: boolean;
}

const reduceSumOperator: Operator = {
  name: "reduceSum",
  onnx: { type: "ReduceSum" },
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

/** Mean over `axes`. Sizes may be symbolic: the divisor is then computed when run. */
export function reduceMean(x: Value, axes: readonly number[], options: ReduceOptions = {}): Value {
  const over = normalizeAxes("reduceMean", axes, x.shape.length);
  const count = sizeOf(over.map((axis) => x.shape[axis] as Dim));
  const total = reduceSum(x, over, options);
  return typeof count === "number" ? scale(total, 1 / count) : div(total, sizeAsNumber(count));
}

/** A size as a float32 scalar, for arithmetic with it. */
export function sizeAsNumber(size: Dim): Value {
  return typeof size === "number" ? constant(size) : reshape(cast(sizes([size]), "float32"), []);
}

/** Mean of all elements, a scalar of shape []. */
export function mean(x: Value): Value {
  return reduceMean(reshape(x, [sizeOf(x.shape)]), [0]);
}

/** Sum of all elements, a scalar of shape []. */
export function sum(x: Value): Value {
  return reduceSum(reshape(x, [sizeOf(x.shape)]), [0]);
}
