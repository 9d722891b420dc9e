/** @file Choosing rows and elements by index, and their transposes, which scatter. */
import { type Dim, formatShape, sameShape, sizeOf } from "../size.ts";
import { apply, expectType, kernel, type Operator, requiredInput, shapeError, type Value } from "../value.ts";
import { expand, zeros } from "./broadcast.ts";
import { reshape } from "./reshape.ts";

const gatherRowsOperator: Operator = {
  name: "gatherRows",
  lower: kernel("Gather"),
  gradient: (node, [gradient]) => {
    if (gradient === undefined) return [];
    const table = requiredInput(node, 0);
    const ids = requiredInput(node, 1);
    const count = sizeOf(ids.shape);
    const [rows, ...rest] = table.shape as [Dim, ...Dim[]];
    const width = sizeOf(rest);
    const flat = reshape(gradient, [count, width]); // [ids, width]
    const summed = scatterAddRows(flat, reshape(ids, [count]), rows);
    return [reshape(summed, table.shape), undefined];
  },
};

/** Rows of a table. table [rows, ...], ids int64 [...] in 0 to rows-1 -> [...ids, ...row]. */
export function gatherRows(table: Value, ids: Value): Value {
  expectType("gatherRows", ids, "int64");
  if (table.shape.length === 0) throw shapeError("gatherRows", "a scalar has no rows");
  return apply(gatherRowsOperator, [table, ids], table.dtype, [...ids.shape, ...table.shape.slice(1)], {
    axis: 0,
  });
}

const gatherAlongOperator: Operator = { name: "gatherAlong", lower: kernel("Gather") };

/** Slices along an axis. x [..., n, ...], ids int64 [m] in 0 to n-1 -> [..., m, ...]. Without a gradient. */
export function gatherAlong(x: Value, ids: Value, axis: number): Value {
  expectType("gatherAlong", ids, "int64");
  const [count] = ids.shape;
  if (axis >= x.shape.length || ids.shape.length !== 1) {
    throw shapeError("gatherAlong", `${formatShape(ids.shape)} ids along ${axis} of ${formatShape(x.shape)}`);
  }
  return apply(gatherAlongOperator, [x, ids], x.dtype, x.shape.with(axis, count as Dim), { axis });
}

const scatterElementsOperator: Operator = {
  name: "scatterAddRows",
  // ScatterElements adds in index order on one thread: repeated ids sum to the same bits at every run.
  lower: kernel("ScatterElements"),
  gradient: (node, [gradient]) => {
    if (gradient === undefined) return [];
    const indices = requiredInput(node, 1);
    return [undefined, undefined, gatherElements(gradient, indices, node.attributes.axis as number)];
  },
};

/** Adds rows into a zero table: out[ids[i]] += x[i]. x [count, width], ids int64 [count] -> [rows, width]. */
export function scatterAddRows(x: Value, ids: Value, rows: Dim): Value {
  expectType("scatterAddRows", ids, "int64");
  const [count, width] = x.shape;
  if (x.shape.length !== 2 || ids.shape.length !== 1 || ids.shape[0] !== count) {
    throw shapeError(
      "scatterAddRows",
      `${formatShape(ids.shape)} ids do not fit rows ${formatShape(x.shape)}`,
    );
  }
  const indices = expand(reshape(ids, [count as Dim, 1]), x.shape);
  return apply(
    scatterElementsOperator,
    [zeros([rows, width as Dim]), indices, x],
    "float32",
    [rows, width as Dim],
    {
      axis: 0,
      reduction: "add",
    },
  );
}

const placeOperator: Operator = { name: "placeAlong", lower: kernel("ScatterElements") };

/**
 * A copy of `target` with slices of `x` in it: along `axis`, slice i of x stands at place `places[row, i]`. Without a
 * gradient.
 * @param target [rows, ..., capacity, ...]; @param x [rows, ..., n, ...], else the same shape
 * @param places int64 [rows, n] in 0 to capacity - 1, distinct within a row
 */
export function placeAlong(target: Value, x: Value, places: Value, axis: number): Value {
  expectType("placeAlong", places, "int64");
  const fits =
    axis > 0 &&
    target.shape.length === x.shape.length &&
    target.shape.every((size, index) => index === axis || size === x.shape[index]) &&
    sameShape(places.shape, [x.shape[0] as Dim, x.shape[axis] as Dim]);
  if (!fits) {
    throw shapeError(
      "placeAlong",
      `${formatShape(x.shape)} at ${formatShape(places.shape)} does not fit ${formatShape(target.shape)}`,
    );
  }
  const along = x.shape.map((size, index) => (index === 0 || index === axis ? size : 1));
  const indices = expand(reshape(places, along), x.shape);
  return apply(placeOperator, [target, indices, x], target.dtype, target.shape, { axis });
}

const gatherElementsOperator: Operator = {
  name: "gatherElements",
  lower: kernel("GatherElements"),
  gradient: (node, [gradient]) => {
    if (gradient === undefined) return [];
    const x = requiredInput(node, 0);
    const attributes = { axis: node.attributes.axis as number, reduction: "add" };
    const inputs = [zeros(x.shape), requiredInput(node, 1), gradient];
    return [apply(scatterElementsOperator, inputs, "float32", x.shape, attributes), undefined];
  },
};

function gatherElements(x: Value, indices: Value, axis: number): Value {
  return apply(gatherElementsOperator, [x, indices], x.dtype, indices.shape, { axis });
}

/** One element of each row of the last axis. x [..., n], ids int64 [...] in 0 to n-1 -> [...]. */
export function pickLast(x: Value, ids: Value): Value {
  expectType("pickLast", ids, "int64");
  const lead = x.shape.slice(0, -1);
  if (formatShape(lead) !== formatShape(ids.shape)) {
    throw shapeError("pickLast", `${formatShape(ids.shape)} ids do not fit ${formatShape(x.shape)}`);
  }
  const picked = gatherElements(x, reshape(ids, [...ids.shape, 1]), x.shape.length - 1);
  return reshape(picked, lead);
}
