/** @file Operators that move elements without computing: transpose, concat, slice, split, pad. */
import { normalizeAxes } from "../axes.ts";
import { addSizes, type Dim, divideSize, formatShape, multiplySizes, subtractSizes } from "../size.ts";
import {
  apply,
  applyMany,
  constant,
  expectType,
  kernel,
  type Operator,
  type OperatorNode,
  requiredInput,
  shapeError,
  sizes,
  type Value,
} from "../value.ts";
import { zeros } from "./broadcast.ts";
import { reshape } from "./reshape.ts";

const transposeOperator: Operator = {
  name: "transpose",
  lower: kernel("Transpose"),
  gradient: (node, [gradient]) => {
    if (gradient === undefined) return [];
    const permutation = node.attributes.perm as readonly number[];
    const inverse: number[] = [];
    permutation.forEach((from, to) => {
      inverse[from] = to;
    });
    return [transpose(gradient, inverse)];
  },
};

/** Axis i of the result is axis `permutation[i]` of x. */
export function transpose(x: Value, permutation: readonly number[]): Value {
  const seen = normalizeAxes("transpose", permutation, x.shape.length);
  if (seen.length !== x.shape.length) {
    throw shapeError(
      "transpose",
      `permutation [${permutation.join(", ")}] does not fit ${formatShape(x.shape)}`,
    );
  }
  return apply(
    transposeOperator,
    [x],
    x.dtype,
    permutation.map((axis) => x.shape[axis] as Dim),
    { perm: permutation },
  );
}

const concatOperator: Operator = {
  name: "concat",
  lower: kernel("Concat"),
  gradient: (node, [gradient]) => {
    if (gradient === undefined) return [];
    const axis = node.attributes.axis as number;
    const lengths = node.inputs.map((_value, index) => requiredInput(node, index).shape[axis] as Dim);
    return split(gradient, axis, lengths);
  },
};

/** Joins values along an axis; all other axes must be equal. */
export function concat(values: readonly Value[], axis: number): Value {
  const first = values[0];
  if (first === undefined) throw shapeError("concat", "nothing to join");
  if (values.length === 1) return first;
  const [along] = normalizeAxes("concat", [axis], first.shape.length) as [number];
  for (const value of values) {
    const fits =
      value.dtype === first.dtype &&
      value.shape.length === first.shape.length &&
      value.shape.every((dim, index) => index === along || dim === first.shape[index]);
    if (!fits) {
      throw shapeError(
        "concat",
        `${first.dtype}${formatShape(first.shape)} does not join ${value.dtype}${formatShape(value.shape)} along axis ${along}`,
      );
    }
  }
  const shape = first.shape.map((dim, index) =>
    index === along ? addSizes(...values.map((value) => value.shape[along] as Dim)) : dim,
  );
  return apply(concatOperator, values, first.dtype, shape, { axis: along });
}

const splitOperator: Operator = {
  name: "split",
  lower: kernel("Split"),
  gradient: (node, gradients) => {
    const axis = node.attributes.axis as number;
    const parts = node.outputs.map((part, index) => gradients[index] ?? zeros(part.shape));
    return [concat(parts, axis), undefined];
  },
};

/** Cuts x along an axis into parts of the given lengths, which must add up to the axis. */
export function split(x: Value, axis: number, lengths: readonly Dim[]): readonly Value[] {
  const [along] = normalizeAxes("split", [axis], x.shape.length) as [number];
  if (addSizes(...lengths) !== x.shape[along]) {
    throw shapeError("split", `${formatShape(x.shape)} axis ${along} is not ${lengths.join(" + ")}`);
  }
  if (lengths.length === 1) return [x];
  const results = lengths.map((length) => ({
    dtype: x.dtype,
    shape: x.shape.map((dim, index) => (index === along ? length : dim)),
  }));
  return applyMany(splitOperator, [x, sizes(lengths)], results, { axis: along });
}

/** Start and end (exclusive) along one axis; `step` may be negative only to reverse a whole axis. */
export interface SliceRange {
  readonly axis: number;
  readonly start: Dim;
  readonly end: Dim;
  readonly step?: number;
}

const sliceOperator: Operator = {
  name: "slice",
  lower: kernel("Slice"),
  gradient: (node, [gradient]) => {
    if (gradient === undefined) return [];
    const x = requiredInput(node, 0);
    const start = knownOperand(node, 1);
    const axis = Number(knownOperand(node, 3));
    const step = knownOperand(node, 4);
    if (step === -1) return [reverse(gradient, axis)];
    const spread = step === 1 ? gradient : spreadOut(gradient, axis, Number(step));
    const covered = addSizes(start, spread.shape[axis] as Dim);
    return [pad(spread, [{ axis, before: start, after: subtractSizes(x.shape[axis] as Dim, covered) }])];
  },
};

/** Each element along an axis followed by `step` - 1 zeros. */
function spreadOut(x: Value, axis: number, step: number): Value {
  const before = x.shape.slice(0, axis);
  const after = x.shape.slice(axis + 1);
  const length = x.shape[axis] as Dim;
  const apart = pad(reshape(x, [...before, length, 1, ...after]), [
    { axis: axis + 1, before: 0, after: step - 1 },
  ]);
  return reshape(apart, [...before, multiplySizes(length, step), ...after]);
}

/** First element of an operand that was given as sizes or as a constant when the node was built. */
function knownOperand(node: OperatorNode, index: number): Dim {
  const { producer } = requiredInput(node, index);
  const first =
    producer.kind === "sizes"
      ? producer.sizes[0]
      : producer.kind === "constant"
        ? producer.data[0]
        : undefined;
  if (first === undefined)
    throw shapeError(node.operator.name, `operand ${index} is not known when the graph is built`);
  return first;
}

/** Elements `start` to `end` (exclusive) along one axis, every `step`-th. Bounds are sizes >= 0 within the axis. */
export function slice(x: Value, range: SliceRange): Value {
  const { start, end, step = 1 } = range;
  const [axis] = normalizeAxes("slice", [range.axis], x.shape.length) as [number];
  const dim = x.shape[axis] as Dim;
  if (start === 0 && end === dim && step === 1) return x;
  const length = subtractSizes(end, start);
  const outside = [start, end, length].some((bound) => typeof bound === "number" && bound < 0);
  const beyond = subtractSizes(dim, end);
  if (outside || step < 1 || (typeof beyond === "number" && beyond < 0)) {
    throw shapeError(
      "slice",
      `${start} to ${end} by ${step} lies outside axis ${axis} of ${formatShape(x.shape)}`,
    );
  }
  const kept = divideSize(addSizes(length, step - 1), step);
  if (kept === undefined) throw shapeError("slice", `a step of ${step} does not divide the length ${length}`);
  const shape = x.shape.map((size, index) => (index === axis ? kept : size));
  return apply(
    sliceOperator,
    [x, sizes([start]), sizes([end]), constant([axis], [1], "int64"), constant([step], [1], "int64")],
    x.dtype,
    shape,
  );
}

/** x with the order of one axis reversed. */
export function reverse(x: Value, axis: number): Value {
  const [along] = normalizeAxes("reverse", [axis], x.shape.length) as [number];
  const dim = x.shape[along] as Dim;
  // ONNX counts -1 as the last element, so the end before the first one is a number below any axis' length.
  const beforeFirst = -(2 ** 31);
  return apply(
    sliceOperator,
    [
      x,
      sizes([subtractSizes(dim, 1)]),
      sizes([beforeFirst]),
      constant([along], [1], "int64"),
      constant([-1], [1], "int64"),
    ],
    x.dtype,
    x.shape,
  );
}

/** Zeros added at both ends of one axis; a negative number takes elements away instead. */
export interface Margin {
  readonly axis: number;
  readonly before: Dim;
  readonly after: Dim;
}

const padOperator: Operator = {
  name: "pad",
  lower: kernel("Pad"),
  gradient: (node, [gradient]) => {
    if (gradient === undefined) return [];
    const margins = requiredInput(node, 1).producer;
    const axes = requiredInput(node, 3).producer;
    if (margins.kind !== "sizes" || axes.kind !== "constant")
      throw shapeError("pad", "margins are not known");
    const opposite = margins.sizes.map((size) => multiplySizes(size, -1));
    const back = axes.data.map((axis, index) => ({
      axis,
      before: opposite[index] as Dim,
      after: opposite[index + axes.data.length] as Dim,
    }));
    return [pad(gradient, back)];
  },
};

/** x with zeros added around it, or elements taken away, along one or several axes in one pass. */
export function pad(x: Value, margins: readonly Margin[]): Value {
  expectType("pad", x, "float32");
  const rank = x.shape.length;
  normalizeAxes(
    "pad",
    margins.map(({ axis }) => axis),
    rank,
  );
  const kept = margins
    .filter(({ before, after }) => before !== 0 || after !== 0)
    .map(({ axis, ...ends }) => ({ axis: axis < 0 ? axis + rank : axis, ...ends }));
  if (kept.length === 0) return x;
  const shape = x.shape.map((dim, index) => {
    const margin = kept.find(({ axis }) => axis === index);
    return margin === undefined ? dim : addSizes(margin.before, dim, margin.after);
  });
  if (shape.some((dim) => typeof dim === "number" && dim < 0)) {
    throw shapeError(
      "pad",
      `${formatShape(x.shape)} has not the elements to take away for ${formatShape(shape)}`,
    );
  }
  const ends = sizes([...kept.map(({ before }) => before), ...kept.map(({ after }) => after)]);
  const axes = constant(
    kept.map(({ axis }) => axis),
    [kept.length],
    "int64",
  );
  return apply(padOperator, [x, ends, constant(0), axes], "float32", shape);
}
