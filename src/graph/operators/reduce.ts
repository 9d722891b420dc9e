/** @file Means over axes, and sums and means of all elements. */
import { normalizeAxes } from "../axes.ts";
import { type Dim, sizeOf } from "../size.ts";
import { constant, sizes, type Value } from "../value.ts";
import { type ReduceOptions, reduceSum } from "./broadcast.ts";
import { cast } from "./cast.ts";
import { div, scale } from "./elementwise.ts";
import { reshape } from "./reshape.ts";

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
