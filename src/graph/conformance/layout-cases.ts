/** @file Cases of the operators that move elements. */

import { expand, zeros } from "../operators/broadcast.ts";
import { concat, pad, reverse, slice, split, transpose } from "../operators/layout.ts";
import { reshape } from "../operators/reshape.ts";
import { addSizes, type Dim, multiplySizes, subtractSizes } from "../size.ts";
import type { Axis, CaseDraw, CaseGenerator } from "./operator-case.ts";
import { at, atBroadcast, atOrZero, generate, type Index, type Tensor64 } from "./tensor64.ts";

/** Joins or keeps neighbouring axes at random, and adds axes of size 1. */
function regroup(draw: CaseDraw, axes: readonly Axis[]): Axis[] {
  const result: Axis[] = [];
  for (const axis of axes) {
    const last = result.at(-1);
    if (last !== undefined && draw.flip()) {
      result.splice(-1, 1, { dim: multiplySizes(last.dim, axis.dim), size: last.size * axis.size });
    } else result.push(axis);
    if (draw.integer(0, 3) === 0) result.push(draw.known(1));
  }
  return result;
}

function moved(index: Index, axis: number, by: number): number[] {
  return index.with(axis, (index[axis] as number) + by);
}

function along(draw: CaseDraw, axes: readonly Axis[]): { axis: number; asked: number } {
  const axis = draw.integer(0, axes.length - 1);
  return { axis, asked: draw.flip() ? axis : axis - axes.length };
}

export const layoutCases: Readonly<Record<string, CaseGenerator>> = {
  reshape: (draw) => {
    const fine = draw.axes(0, 5);
    const [from, to] = draw.pick([
      [fine, regroup(draw, fine)],
      [regroup(draw, fine), fine],
      [regroup(draw, fine), regroup(draw, fine)],
    ]) as [Axis[], Axis[]];
    // A grouped operand hides the symbols of its parts, which must stand alone somewhere.
    const x = draw.operand(from);
    const anchor = draw.fixed(fine, () => 0);
    const value = reshape(
      x.value,
      to.map(({ dim }) => dim),
    );
    return draw.finish([value, anchor.value], ({ data }, other) => [
      { shape: to.map(({ size }) => size), data },
      other,
    ]);
  },
  transpose: (draw) => {
    const axes = draw.axes(1, 5);
    const permutation = draw.order(axes.length);
    const x = draw.operand(axes);
    return draw.finish(transpose(x.value, permutation), (tensor) =>
      generate(
        permutation.map((axis) => tensor.shape[axis] as number),
        (index) => {
          const source: number[] = [];
          permutation.forEach((axis, place) => {
            source[axis] = index[place] as number;
          });
          return at(tensor, source);
        },
      ),
    );
  },
  concat: (draw) => {
    const axes = draw.axes(1, 4);
    const { axis, asked } = along(draw, axes);
    const parts = Array.from({ length: draw.integer(1, 3) }, () =>
      draw.operand(axes.with(axis, draw.axis(1, 4))),
    );
    const values = parts.map(({ value }) => value);
    return draw.finish(concat(values, asked), (...tensors) => joined(tensors, axis));
  },
  split: (draw) => {
    const parts = draw.axes(1, 3);
    const axes = draw.axes(1, 4);
    const { axis, asked } = along(draw, axes);
    const lengths = parts.map(({ dim }) => dim);
    const whole = { dim: addSizes(...lengths), size: parts.reduce((total, { size }) => total + size, 0) };
    const x = draw.operand(axes.with(axis, whole));
    const anchor = draw.fixed(parts, () => 0);
    return draw.finish([...split(x.value, asked, lengths), anchor.value], (tensor, other) => {
      let start = 0;
      const cut = parts.map(({ size }) => {
        const from = start;
        start += size;
        return generate(tensor.shape.with(axis, size), (index) => at(tensor, moved(index, axis, from)));
      });
      return [...cut, other];
    });
  },
  expand: (draw) => {
    const axes = draw.axes(0, 4);
    const x = draw.operand(draw.broadcast(axes));
    const anchor = draw.fixed(axes, () => 0);
    const value = expand(
      x.value,
      axes.map(({ dim }) => dim),
    );
    return draw.finish([value, anchor.value], (tensor, other) => [
      generate(other.shape, (index) => atBroadcast(tensor, index)),
      other,
    ]);
  },
  zeros: (draw) => {
    const axes = draw.axes(0, 4);
    const anchor = draw.fixed(axes, () => 1);
    const value = zeros(axes.map(({ dim }) => dim));
    return draw.finish([value, anchor.value], (other) => [generate(other.shape, () => 0), other]);
  },
  slice: (draw) => {
    const axes = draw.axes(1, 4);
    const { axis, asked } = along(draw, axes);
    const step = draw.pick([1, 1, 2, 3]);
    const start = draw.integer(0, 2);
    const beyond = draw.integer(0, 2);
    // The length between start and end: a whole number of steps, so that a symbolic one divides too.
    const run = draw.axis(1, 3);
    const length = {
      dim: multiplySizes(run.dim, step),
      size: run.size * step,
    };
    const dim = addSizes(start, length.dim, beyond);
    const x = draw.operand(axes.with(axis, { dim, size: start + length.size + beyond }));
    const anchor = draw.fixed([run], () => 0);
    const end: Dim = subtractSizes(dim, beyond);
    const value = slice(x.value, { axis: asked, start, end, ...(step === 1 ? {} : { step }) });
    return draw.finish([value, anchor.value], (tensor, other) => [
      generate(tensor.shape.with(axis, run.size), (index) =>
        at(tensor, index.with(axis, start + step * (index[axis] as number))),
      ),
      other,
    ]);
  },
  reverse: (draw) => {
    const axes = draw.axes(1, 4);
    const { axis, asked } = along(draw, axes);
    const x = draw.operand(axes);
    return draw.finish(reverse(x.value, asked), (tensor) => {
      const last = (tensor.shape[axis] as number) - 1;
      return generate(tensor.shape, (index) => at(tensor, index.with(axis, last - (index[axis] as number))));
    });
  },
  pad: (draw) => {
    const axes = draw.axes(1, 4);
    const padded = draw.order(axes.length).slice(0, draw.integer(1, Math.min(2, axes.length)));
    const margins = padded.map((axis) => {
      // Elements may be taken away from one end when the other grows, so that the axis stays.
      const before = draw.integer(-1, 2);
      return { axis, before, after: draw.integer(before < 0 ? 1 : 0, 2) };
    });
    const x = draw.operand(axes);
    const value = pad(
      x.value,
      margins.map((margin) => ({ ...margin, axis: draw.flip() ? margin.axis : margin.axis - axes.length })),
    );
    return draw.finish(value, (tensor) => {
      const before = tensor.shape.map((_size, axis) => margins.find((m) => m.axis === axis)?.before ?? 0);
      const shape = tensor.shape.map(
        (size, axis) => size + (before[axis] as number) + (margins.find((m) => m.axis === axis)?.after ?? 0),
      );
      return generate(shape, (index) =>
        atOrZero(
          tensor,
          index.map((place, axis) => place - (before[axis] as number)),
        ),
      );
    });
  },
};

function joined(tensors: readonly Tensor64[], axis: number): Tensor64 {
  const [first] = tensors as [Tensor64];
  const total = tensors.reduce((length, { shape }) => length + (shape[axis] as number), 0);
  return generate(first.shape.with(axis, total), (index) => {
    let place = index[axis] as number;
    for (const tensor of tensors) {
      const length = tensor.shape[axis] as number;
      if (place < length) return at(tensor, index.with(axis, place));
      place -= length;
    }
    throw new RangeError(`[${index}] lies behind all parts`);
  });
}
