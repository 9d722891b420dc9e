/** @file Cases of the elementwise operators, with broadcasting. */

import { sumToShape } from "../operators/broadcast.ts";
import { cast } from "../operators/cast.ts";
import * as operators from "../operators/elementwise.ts";
import type { Value } from "../value.ts";
import type { CaseDraw, CaseGenerator } from "./operator-case.ts";
import { atBroadcast, broadcastSizes, generate, indicesOf, type Tensor64 } from "./tensor64.ts";

function binary(
  build: (a: Value, b: Value) => Value,
  compute: (a: number, b: number) => number,
  second?: (draw: CaseDraw) => number,
): CaseGenerator {
  return (draw) => {
    const axes = draw.axes(0, 4);
    const [first, other] = draw.flip() ? [axes, draw.broadcast(axes)] : [draw.broadcast(axes), axes];
    const a = draw.operand(first);
    const b = draw.operand(other, second === undefined ? undefined : () => second(draw));
    return draw.finish(build(a.value, b.value), (x, y) =>
      generate(broadcastSizes(x.shape, y.shape), (index) =>
        compute(atBroadcast(x, index), atBroadcast(y, index)),
      ),
    );
  };
}

function map(x: Tensor64, compute: (x: number) => number): Tensor64 {
  return { shape: x.shape, data: x.data.map(compute) };
}

function unary(
  build: (x: Value) => Value,
  compute: (x: number) => number,
  element?: (draw: CaseDraw) => number,
): CaseGenerator {
  return (draw) => {
    const x = draw.operand(draw.axes(0, 4), element === undefined ? undefined : () => element(draw));
    return draw.finish(build(x.value), (tensor) => map(tensor, compute));
  };
}

/** Away from zero, where a quotient or a kink would spoil the differences. */
function nonZero(draw: CaseDraw): number {
  return draw.number(0.3, 2) * draw.pick([-1, 1]);
}

function positive(draw: CaseDraw): number {
  return draw.number(0.2, 3);
}

function logistic(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

export const elementwiseCases: Readonly<Record<string, CaseGenerator>> = {
  add: binary(operators.add, (a, b) => a + b),
  sub: binary(operators.sub, (a, b) => a - b),
  mul: binary(operators.mul, (a, b) => a * b),
  div: binary(operators.div, (a, b) => a / b, nonZero),
  neg: unary(operators.neg, (x) => -x),
  abs: unary(operators.abs, Math.abs, nonZero),
  sign: unary(operators.sign, Math.sign, nonZero),
  sqrt: unary(operators.sqrt, Math.sqrt, positive),
  reciprocal: unary(operators.reciprocal, (x) => 1 / x, nonZero),
  exp: unary(operators.exp, Math.exp),
  log: unary(operators.log, Math.log, positive),
  sin: unary(operators.sin, Math.sin),
  cos: unary(operators.cos, Math.cos),
  sigmoid: unary(operators.sigmoid, logistic),
  silu: unary(
    operators.silu,
    (x) => x * logistic(x),
    (draw) => draw.number(-8, 8),
  ),
  square: unary(operators.square, (x) => x * x),
  scale: (draw) => {
    const factor = Math.fround(draw.pick([1, draw.number(-3, 3)]));
    return unary(
      (x) => operators.scale(x, factor),
      (x) => x * factor,
    )(draw);
  },
  shift: (draw) => {
    const offset = Math.fround(draw.pick([0, draw.number(-3, 3)]));
    return unary(
      (x) => operators.shift(x, offset),
      (x) => x + offset,
    )(draw);
  },
  sumToShape: (draw) => {
    const axes = draw.axes(0, 4);
    const narrow = draw.broadcast(axes);
    const x = draw.operand(axes);
    const shape = narrow.map(({ dim }) => dim);
    return draw.finish(sumToShape(x.value, shape), (tensor) =>
      sumBack(
        tensor,
        narrow.map(({ size }) => size),
      ),
    );
  },
  cast: (draw) => {
    const x = draw.integers(draw.axes(0, 4), () => draw.integer(-1000, 1000));
    return draw.finish(cast(x.value, "float32"), (tensor) => tensor);
  },
};

/** Every element added to the one that broadcasting would have read for it. */
function sumBack(x: Tensor64, shape: readonly number[]): Tensor64 {
  const data = new Array<number>(shape.reduce((a, b) => a * b, 1)).fill(0);
  const places = generate(shape, () => 0);
  const numbered = { shape, data: places.data.map((_zero, place) => place) };
  let flat = 0;
  for (const index of indicesOf(x.shape)) {
    const place = atBroadcast(numbered, index);
    data[place] = (data[place] as number) + (x.data[flat++] as number);
  }
  return { shape, data };
}
