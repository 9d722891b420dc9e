/** @file Doubling of pictures by repetition, and averaging of 2 x 2 blocks. */
import { type Dim, divideSize, formatShape, multiplySizes } from "../size.ts";
import { apply, constant, expectType, kernel, type Operator, shapeError, type Value } from "../value.ts";
import { scale } from "./elementwise.ts";

const upsampleOperator: Operator = {
  name: "upsample",
  lower: kernel("Resize"),
  gradient: (_node, [gradient]) => (gradient === undefined ? [] : [scale(averagePool(gradient), 4)]),
};

const averagePoolOperator: Operator = {
  name: "averagePool",
  lower: kernel("AveragePool"),
  gradient: (_node, [gradient]) => (gradient === undefined ? [] : [scale(upsample(gradient), 0.25)]),
};

function pictureSides(operator: string, x: Value): [Dim, Dim, Dim, Dim] {
  expectType(operator, x, "float32");
  if (x.shape.length !== 4)
    throw shapeError(operator, `${formatShape(x.shape)} is not [n, channels, height, width]`);
  return [...x.shape] as [Dim, Dim, Dim, Dim];
}

/** Each pixel repeated 2 x 2. x [n, c, h, w] -> [n, c, 2h, 2w]. */
export function upsample(x: Value): Value {
  const [pictures, channels, height, width] = pictureSides("upsample", x);
  const shape = [pictures, channels, multiplySizes(2, height), multiplySizes(2, width)];
  return apply(upsampleOperator, [x, undefined, constant([1, 1, 2, 2])], "float32", shape, {
    mode: "nearest",
    coordinate_transformation_mode: "asymmetric",
    nearest_mode: "floor",
  });
}

/** Mean of each 2 x 2 block. x [n, c, 2h, 2w] -> [n, c, h, w]. */
export function averagePool(x: Value): Value {
  const [pictures, channels, height, width] = pictureSides("averagePool", x);
  const halves = [divideSize(height, 2), divideSize(width, 2)];
  const [halfHeight, halfWidth] = halves;
  if (
    halfHeight === undefined ||
    halfWidth === undefined ||
    multiplySizes(2, halfHeight) !== height ||
    multiplySizes(2, halfWidth) !== width
  ) {
    throw shapeError("averagePool", `${formatShape(x.shape)} has no even sides`);
  }
  return apply(averagePoolOperator, [x], "float32", [pictures, channels, halfHeight, halfWidth], {
    kernel_shape: [2, 2],
    strides: [2, 2],
  });
}
