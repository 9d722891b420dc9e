/** @file Elementwise operators with numpy broadcasting, and their gradients. */
import { broadcastShapes, formatShape } from "../size.ts";
import {
  apply,
  constant,
  expectType,
  type GradientRule,
  kernel,
  type Operator,
  type OperatorNode,
  requiredInput,
  shapeError,
  type Value,
} from "../value.ts";
import { sumToShape } from "./broadcast.ts";

function binary(operator: Operator, a: Value, b: Value): Value {
  if (a.dtype !== b.dtype || a.dtype === "bool") {
    throw shapeError(
      operator.name,
      `cannot combine ${a.dtype}${formatShape(a.shape)} with ${b.dtype}${formatShape(b.shape)}`,
    );
  }
  const shape = broadcastShapes(a.shape, b.shape);
  if (shape === undefined) {
    throw shapeError(
      operator.name,
      `${formatShape(a.shape)} does not broadcast with ${formatShape(b.shape)}`,
    );
  }
  return apply(operator, [a, b], a.dtype, shape);
}

/** Gradient rule from a function of the two operands, the result and its gradient. */
function binaryRule(
  rule: (a: Value, b: Value, gradient: Value, result: Value) => readonly [Value, Value],
): GradientRule {
  return (node, [gradient]) => {
    if (gradient === undefined) return [];
    const a = requiredInput(node, 0);
    const b = requiredInput(node, 1);
    const [da, db] = rule(a, b, gradient, node.outputs[0] as Value);
    return [sumToShape(da, a.shape), sumToShape(db, b.shape)];
  };
}

const addOperator: Operator = {
  name: "add",
  lower: kernel("Add"),
  gradient: binaryRule((_a, _b, g) => [g, g]),
};
const subOperator: Operator = {
  name: "sub",
  lower: kernel("Sub"),
  gradient: binaryRule((_a, _b, g) => [g, neg(g)]),
};
const mulOperator: Operator = {
  name: "mul",
  lower: kernel("Mul"),
  gradient: binaryRule((a, b, g) => [mul(g, b), mul(g, a)]),
};
const divOperator: Operator = {
  name: "div",
  lower: kernel("Div"),
  gradient: binaryRule((_a, b, g, result) => {
    const da = div(g, b);
    return [da, neg(mul(da, result))];
  }),
};

/** a + b, broadcast. */
export function add(a: Value, b: Value): Value {
  return binary(addOperator, a, b);
}

/** a - b, broadcast. */
export function sub(a: Value, b: Value): Value {
  return binary(subOperator, a, b);
}

/** a * b, broadcast. */
export function mul(a: Value, b: Value): Value {
  return binary(mulOperator, a, b);
}

/** a / b, broadcast; division by zero follows IEEE. */
export function div(a: Value, b: Value): Value {
  return binary(divOperator, a, b);
}

/** x * factor for a number known when the graph is built. */
export function scale(x: Value, factor: number): Value {
  return factor === 1 ? x : mul(x, constant(factor));
}

/** x + offset for a number known when the graph is built. */
export function shift(x: Value, offset: number): Value {
  return offset === 0 ? x : add(x, constant(offset));
}

function unaryRule(rule: (x: Value, y: Value, gradient: Value) => Value | undefined): GradientRule {
  return (node: OperatorNode, [gradient]) =>
    gradient === undefined ? [] : [rule(requiredInput(node, 0), node.outputs[0] as Value, gradient)];
}

function unary(operator: Operator, x: Value): Value {
  expectType(operator.name, x, "float32");
  return apply(operator, [x], "float32", x.shape);
}

const negOperator: Operator = {
  name: "neg",
  lower: kernel("Neg"),
  gradient: unaryRule((_x, _y, g) => neg(g)),
};
const absOperator: Operator = {
  name: "abs",
  lower: kernel("Abs"),
  gradient: unaryRule((x, _y, g) => mul(g, sign(x))),
};
/** The derivative of a sign is zero wherever it is defined, so nothing flows back. */
const signOperator: Operator = { name: "sign", lower: kernel("Sign"), gradient: () => [undefined] };
const sqrtOperator: Operator = {
  name: "sqrt",
  lower: kernel("Sqrt"),
  gradient: unaryRule((_x, y, g) => div(scale(g, 0.5), y)),
};
const reciprocalOperator: Operator = {
  name: "reciprocal",
  lower: kernel("Reciprocal"),
  gradient: unaryRule((_x, y, g) => neg(mul(g, mul(y, y)))),
};
const expOperator: Operator = {
  name: "exp",
  lower: kernel("Exp"),
  gradient: unaryRule((_x, y, g) => mul(g, y)),
};
const logOperator: Operator = {
  name: "log",
  lower: kernel("Log"),
  gradient: unaryRule((x, _y, g) => div(g, x)),
};
const sinOperator: Operator = {
  name: "sin",
  lower: kernel("Sin"),
  gradient: unaryRule((x, _y, g) => mul(g, cos(x))),
};
const cosOperator: Operator = {
  name: "cos",
  lower: kernel("Cos"),
  gradient: unaryRule((x, _y, g) => neg(mul(g, sin(x)))),
};
const sigmoidOperator: Operator = {
  name: "sigmoid",
  lower: kernel("Sigmoid"),
  gradient: unaryRule((_x, y, g) => mul(g, sub(y, mul(y, y)))),
};
/** x * sigmoid(x) is QuickGelu with alpha 1: one kernel instead of two passes. */
const siluOperator: Operator = {
  name: "silu",
  lower: kernel("QuickGelu", "com.microsoft"),
  gradient: unaryRule((x, y, g) => {
    // d/dx x*s = s + x*s*(1-s) = y + s*(1-y), one pass over two operands less than term by term.
    return mul(g, add(y, mul(sigmoid(x), sub(constant(1), y))));
  }),
};

export function neg(x: Value): Value {
  return unary(negOperator, x);
}

/** |x|; the gradient at 0 is 0. */
export function abs(x: Value): Value {
  return unary(absOperator, x);
}

/** -1, 0 or 1; no gradient flows through it. */
export function sign(x: Value): Value {
  return unary(signOperator, x);
}

export function sqrt(x: Value): Value {
  return unary(sqrtOperator, x);
}

export function reciprocal(x: Value): Value {
  return unary(reciprocalOperator, x);
}

export function exp(x: Value): Value {
  return unary(expOperator, x);
}

/** Natural logarithm. */
export function log(x: Value): Value {
  return unary(logOperator, x);
}

/** Sine of radians. */
export function sin(x: Value): Value {
  return unary(sinOperator, x);
}

/** Cosine of radians. */
export function cos(x: Value): Value {
  return unary(cosOperator, x);
}

/** 1 / (1 + exp(-x)). */
export function sigmoid(x: Value): Value {
  return unary(sigmoidOperator, x);
}

/** x * sigmoid(x), also called swish. */
export function silu(x: Value): Value {
  expectType("silu", x, "float32");
  return apply(siluOperator, [x], "float32", x.shape, { alpha: { float: 1 } });
}

/** x * x. */
export function square(x: Value): Value {
  return mul(x, x);
}
