/** @file RMS, layer and group normalisation, fused forward; gradients composed of reductions. */
import { type Dim, formatShape, multiplySizes, type Shape } from "../size.ts";
import {
  apply,
  composite,
  constant,
  expectType,
  kernel,
  type Operator,
  requiredInput,
  shapeError,
  type Value,
} from "../value.ts";
import { reduceSum } from "./broadcast.ts";
import { add, div, mul, neg, reciprocal, shift, sqrt, square, sub } from "./elementwise.ts";
import { matmul } from "./matmul.ts";
import { reduceMean, sizeAsNumber } from "./reduce.ts";
import { reshape } from "./reshape.ts";

function expectScale(operator: string, x: Value, ...scales: readonly Value[]): void {
  const width = x.shape.at(-1) as Dim;
  for (const value of scales) {
    if (value.shape.length !== 1 || value.shape[0] !== width) {
      throw shapeError(operator, `weight ${formatShape(value.shape)} does not fit ${formatShape(x.shape)}`);
    }
  }
}

function epsilonOf(attributes: Readonly<Record<string, unknown>>): number {
  return (attributes.epsilon as { float: number }).float;
}

/** Axes of x but the last. */
function leadingAxes(x: Value): number[] {
  return x.shape.slice(0, -1).map((_dim, axis) => axis);
}

const rmsNormOperator: Operator = {
  name: "rmsNorm",
  // Registered by ONNX Runtime in the standard domain.
  lower: kernel("SimplifiedLayerNormalization"),
  gradient: (node, [gradient]) => {
    if (gradient === undefined) return [];
    const x = requiredInput(node, 0);
    const weight = requiredInput(node, 1);
    const epsilon = epsilonOf(node.attributes);
    const inverse = reciprocal(sqrt(shift(reduceMean(square(x), [-1], { keepDims: true }), epsilon))); // [..., 1]
    const normal = mul(x, inverse); // [..., width]
    const weighted = mul(gradient, weight);
    const projection = reduceMean(mul(weighted, normal), [-1], { keepDims: true });
    const dx = mul(inverse, sub(weighted, mul(normal, projection)));
    return [dx, reduceSum(mul(gradient, normal), leadingAxes(x))];
  },
};

/** x / rms(x) * weight over the last axis (docs/nextstep-spec.md 2.1). x [..., width], weight [width]. */
export function rmsNorm(x: Value, weight: Value, epsilon: number): Value {
  expectType("rmsNorm", x, "float32");
  expectScale("rmsNorm", x, weight);
  return apply(rmsNormOperator, [x, weight], "float32", x.shape, { axis: -1, epsilon: { float: epsilon } });
}

/** dx of a normalisation to mean 0 and variance 1, from its result and the gradient of that result. */
function centredGradient(gradient: Value, normal: Value, inverse: Value): Value {
  const axis = [-1];
  const meanGradient = reduceMean(gradient, axis, { keepDims: true });
  const projection = reduceMean(mul(gradient, normal), axis, { keepDims: true });
  return mul(inverse, sub(sub(gradient, meanGradient), mul(normal, projection)));
}

/** (x - mean) / sqrt(variance + epsilon) over the last axis and the factor 1 / sqrt(...) [..., 1]. */
function standardize(x: Value, epsilon: number): { normal: Value; inverse: Value } {
  const centred = sub(x, reduceMean(x, [-1], { keepDims: true }));
  const inverse = reciprocal(sqrt(shift(reduceMean(square(centred), [-1], { keepDims: true }), epsilon)));
  return { normal: mul(centred, inverse), inverse };
}

const layerNormOperator: Operator = {
  name: "layerNorm",
  lower: kernel("LayerNormalization"),
  gradient: (node, [gradient]) => {
    if (gradient === undefined) return [];
    const x = requiredInput(node, 0);
    const { normal, inverse } = standardize(x, epsilonOf(node.attributes));
    const dx = centredGradient(mul(gradient, requiredInput(node, 1)), normal, inverse);
    const axes = leadingAxes(x);
    const dBias = node.inputs[2] === undefined ? undefined : reduceSum(gradient, axes);
    return [dx, reduceSum(mul(gradient, normal), axes), dBias];
  },
};

/**
 * Layer normalisation over the last axis with biased variance (docs/nextstep-spec.md 2.2).
 * x [..., width], weight and bias [width]; without them the result is not scaled.
 */
export function layerNorm(x: Value, epsilon: number, weight?: Value, bias?: Value): Value {
  expectType("layerNorm", x, "float32");
  const width = x.shape.at(-1);
  if (typeof width !== "number")
    throw shapeError("layerNorm", `last axis of ${formatShape(x.shape)} must be known`);
  const scaleValue = weight ?? constant(new Array<number>(width).fill(1));
  expectScale("layerNorm", x, scaleValue, ...(bias === undefined ? [] : [bias]));
  const inputs = bias === undefined ? [x, scaleValue] : [x, scaleValue, bias];
  return apply(layerNormOperator, inputs, "float32", x.shape, { axis: -1, epsilon: { float: epsilon } });
}

/**
 * Group normalisation (docs/nextstep-spec.md 2.3): mean 0 and variance 1 over each group of channels of each
 * picture, then a factor and an offset a channel. x [pictures, channels, height, width], weight and bias [channels].
 */
export function groupNorm(x: Value, groups: number, weight: Value, bias: Value, epsilon: number): Value {
  expectType("groupNorm", x, "float32");
  const [pictures, channels, height, width] = x.shape;
  if (x.shape.length !== 4 || typeof channels !== "number" || channels % groups !== 0) {
    throw shapeError("groupNorm", `${formatShape(x.shape)} does not divide into ${groups} groups`);
  }
  for (const value of [weight, bias]) {
    if (value.shape.length !== 1 || value.shape[0] !== channels) {
      throw shapeError(
        "groupNorm",
        `weight ${formatShape(value.shape)} does not fit ${formatShape(x.shape)}`,
      );
    }
  }
  const each = channels / groups; // channels a group
  const positions = multiplySizes(height as Dim, width as Dim);
  const elements = multiplySizes(each, positions);
  const count = sizeAsNumber(elements);
  const perGroup: Shape = [pictures as Dim, groups, elements];
  const perChannel: Shape = [pictures as Dim, channels, positions];
  const factors = reshape(weight, [groups, each]);

  const grouped = reshape(x, perGroup);
  const centred = sub(grouped, div(reduceSum(grouped, [2], { keepDims: true }), count));
  const variance = div(dotLast(centred, centred), count); // [pictures, groups, 1]
  const inverse = reciprocal(sqrt(shift(variance, epsilon)));
  const slope = reshape(mul(inverse, factors), [pictures as Dim, channels, 1]);
  const centredChannels = reshape(centred, perChannel);
  const y = add(mul(centredChannels, slope), reshape(bias, [channels, 1]));

  // dx = slope dy - centred inverse³ Σ(w dy centred)/count - inverse Σ(w dy)/count, sums over the group. All that
  // touches whole pictures is one sum, one product and the two terms; the rest is one number a channel.
  return composite("groupNorm", [x, weight, bias], reshape(y, x.shape), (gradient) => {
    const dy = reshape(gradient, perChannel);
    const byChannel: Shape = [pictures as Dim, groups, each];
    const total = reshape(reduceSum(dy, [2]), byChannel); // Σ dy
    const projection = reshape(dotLast(dy, centredChannels), byChannel); // Σ dy centred
    const overGroup = (value: Value): Value =>
      div(reduceSum(mul(value, factors), [2], { keepDims: true }), count);
    const curve = mul(mul(inverse, square(inverse)), overGroup(projection)); // [pictures, groups, 1]
    const offset = mul(inverse, overGroup(total));
    const along = reshape(add(mul(centred, neg(curve)), neg(offset)), perChannel);
    const dx = add(mul(dy, slope), along);
    const dWeight = reduceSum(mul(projection, inverse), [0]); // [groups, each]
    return [reshape(dx, x.shape), reshape(dWeight, [channels]), reshape(reduceSum(total, [0]), [channels])];
  });
}

/** Σ a b over the last axis as a product of a row with a column, one pass over both. a, b [m, n, k] -> [m, n, 1]. */
function dotLast(a: Value, b: Value): Value {
  const [m, n, k] = a.shape as [Dim, Dim, Dim];
  const rows: Shape = [m, n, 1, k];
  return reshape(matmul(reshape(a, rows), reshape(b, rows), { transB: true }), [m, n, 1]);
}
