/** @file One of two computations, chosen when the graph runs. */
import { sameShape } from "../size.ts";
import {
  applyMany,
  expectType,
  kernel,
  type Operator,
  type Subgraph,
  shapeError,
  type Value,
} from "../value.ts";

const ifElseOperator: Operator = { name: "ifElse", lower: kernel("If") };

/**
 * `then` where the condition holds, else `otherwise`; the other one is not computed. Without a gradient.
 * @param condition bool []
 * @param outside values that the branches take from the rest of the graph. Weights, constants and the graph's inputs need
 * not be named: they are seen everywhere.
 */
export function ifElse(condition: Value, outside: readonly Value[], then: Value, otherwise: Value): Value {
  expectType("ifElse", condition, "bool");
  if (then.dtype !== otherwise.dtype || !sameShape(then.shape, otherwise.shape)) {
    throw shapeError(
      "ifElse",
      `${then.dtype}[${then.shape}] and ${otherwise.dtype}[${otherwise.shape}] differ`,
    );
  }
  const branch = (result: Value): Subgraph => ({ arguments: [], results: [result] });
  const graphs = { then_branch: branch(then), else_branch: branch(otherwise) };
  const [result] = applyMany(ifElseOperator, [condition, ...outside], [then], {}, { operands: 1, graphs });
  return result as Value;
}
