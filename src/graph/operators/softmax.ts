/** @file Softmax and log-softmax over the last axis. */
import { apply, expectType, kernel, type Operator, type Value } from "../value.ts";
import { reduceSum } from "./broadcast.ts";
import { exp, mul, sub } from "./elementwise.ts";

const softmaxOperator: Operator = {
  name: "softmax",
  lower: kernel("Softmax"),
  gradient: (node, [gradient]) => {
    if (gradient === undefined) return [];
    const y = node.outputs[0] as Value;
    const weighted = mul(gradient, y);
    return [sub(weighted, mul(y, reduceSum(weighted, [-1], { keepDims: true })))];
  },
};

const logSoftmaxOperator: Operator = {
  name: "logSoftmax",
  lower: kernel("LogSoftmax"),
  gradient: (node, [gradient]) => {
    if (gradient === undefined) return [];
    const probabilities = exp(node.outputs[0] as Value);
    return [sub(gradient, mul(probabilities, reduceSum(gradient, [-1], { keepDims: true })))];
  },
};

/** exp(x) / sum(exp(x)) over the last axis, computed against the axis' maximum. */
export function softmax(x: Value): Value {
  expectType("softmax", x, "float32");
  return apply(softmaxOperator, [x], "float32", x.shape, { axis: -1 });
}

/** log(softmax(x)) over the last axis. */
export function logSoftmax(x: Value): Value {
  expectType("logSoftmax", x, "float32");
  return apply(logSoftmaxOperator, [x], "float32", x.shape, { axis: -1 });
}
