/** @file The same elements under another shape. */
import { type Dim, formatShape, type Shape, sameShape, sizeOf } from "../size.ts";
import { apply, kernel, type Operator, requiredInput, shapeError, sizes, type Value } from "../value.ts";

const reshapeOperator: Operator = {
  name: "reshape",
  lower: kernel("Reshape"),
  gradient: (node, [gradient]) =>
    gradient === undefined ? [] : [reshape(gradient, requiredInput(node, 0).shape), undefined],
};

/** The same elements under another shape; the number of elements must be equal, symbolically. */
export function reshape(x: Value, shape: Shape): Value {
  if (sameShape(x.shape, shape)) return x;
  if (sizeOf(x.shape) !== sizeOf(shape)) {
    throw shapeError("reshape", `${formatShape(x.shape)} has not the elements of ${formatShape(shape)}`);
  }
  return apply(reshapeOperator, [x, reshapeTarget(x.shape, shape)], x.dtype, shape, { allowzero: 0 });
}

/**
 * The target operand: 0 copies the axis of the same index, one -1 is inferred, both without any work when run;
 * only what is left is computed from the sizes of the graph's inputs.
 */
function reshapeTarget(from: Shape, to: Shape): Value {
  const target: Dim[] = to.map((dim, axis) => (typeof dim === "string" && from[axis] === dim ? 0 : dim));
  const open = target.filter((dim) => typeof dim === "string");
  if (open.length === 1) target[target.indexOf(open[0] as Dim)] = -1;
  return sizes(target);
}
