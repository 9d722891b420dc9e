/** @file Cases of sums and means over axes, and of softmax. */

import { reduceSum } from "../operators/broadcast.ts";
import { add } from "../operators/elementwise.ts";
import { mean, reduceMean, sizeAsNumber, sum } from "../operators/reduce.ts";
import { logSoftmax, softmax } from "../operators/softmax.ts";
import { multiplySizes } from "../size.ts";
import type { Value } from "../value.ts";
import type { CaseGenerator } from "./operator-case.ts";
import { at, generate, type Index, sumIndices, type Tensor64 } from "./tensor64.ts";

/** Sum of `x` over `axes`, all axes kept with size 1 where they are summed. */
function sumAxes(x: Tensor64, axes: readonly number[]): Tensor64 {
  const kept = x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  const reduced = x.shape.map((size, axis) => (axes.includes(axis) ? size : 1));
  return generate(kept, (index) =>
    sumIndices(reduced, (offset) =>
      at(
        x,
        index.map((place, axis) => place + (offset[axis] as number)),
      ),
    ),
  );
}

function withoutAxes(x: Tensor64, axes: readonly number[]): Tensor64 {
  return { shape: x.shape.filter((_size, axis) => !axes.includes(axis)), data: x.data };
}

function reduction(build: typeof reduceSum, divide: boolean): CaseGenerator {
  return (draw) => {
    const axes = draw.axes(1, 4);
    const over = draw.order(axes.length).slice(0, draw.integer(1, axes.length));
    const keepDims = draw.flip();
    const x = draw.operand(axes);
    const asked = over.map((axis) => (draw.flip() ? axis : axis - axes.length));
    const value = build(x.value, asked, draw.flip() || keepDims ? { keepDims } : {});
    return draw.finish(value, (tensor) => {
      const total = sumAxes(tensor, over);
      const count = divide ? over.reduce((product, axis) => product * (tensor.shape[axis] as number), 1) : 1;
      const result = { shape: total.shape, data: total.data.map((element) => element / count) };
      return keepDims ? result : withoutAxes(result, over);
    });
  };
}

function whole(build: (x: Value) => Value, divide: boolean): CaseGenerator {
  return (draw) => {
    const x = draw.operand(draw.axes(0, 4));
    return draw.finish(build(x.value), ({ data }) => ({
      shape: [],
      data: [data.reduce((a, b) => a + b, 0) / (divide ? data.length : 1)],
    }));
  };
}

/** Softmax by its definition; the operands are small enough to need no maximum. */
function normalized(build: (x: Value) => Value, finish: (probability: number) => number): CaseGenerator {
  return (draw) => {
    const x = draw.operand([...draw.axes(0, 3), draw.axis(1, 5)]);
    return draw.finish(build(x.value), (tensor) => {
      const last = tensor.shape.length - 1;
      const exponential = { shape: tensor.shape, data: tensor.data.map(Math.exp) };
      const total = sumAxes(exponential, [last]);
      return generate(tensor.shape, (index: Index) =>
        finish(at(exponential, index) / at(total, index.with(last, 0))),
      );
    });
  };
}

export const reduceCases: Readonly<Record<string, CaseGenerator>> = {
  reduceSum: reduction(reduceSum, false),
  reduceMean: reduction(reduceMean, true),
  sizeAsNumber: (draw) => {
    const axes = draw.axes(1, 3);
    // The sum keeps the operand in the graph: symbols are read off the shapes of what a graph takes.
    const zero = sum(draw.fixed(axes, () => 0).value);
    return draw.finish(add(zero, sizeAsNumber(multiplySizes(...axes.map(({ dim }) => dim)))), ({ data }) => ({
      shape: [],
      data: [data.length],
    }));
  },
  sum: whole(sum, false),
  mean: whole(mean, true),
  softmax: normalized(softmax, (probability) => probability),
  logSoftmax: normalized(logSoftmax, Math.log),
};
