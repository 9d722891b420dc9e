/** @file Reverse-mode differentiation: walks a graph from a scalar back to the values asked for. */
import { ShapeError } from "../errors.ts";
import { add } from "./operators/elementwise.ts";
import { zeros } from "./operators/layout.ts";
import { formatShape, sameShape } from "./size.ts";
import { constant, type OperatorNode, type Value } from "./value.ts";

/** Operator nodes on a path from any of `sources` to `output`, in an order in which inputs come first. */
function nodesBetween(output: Value, sources: ReadonlySet<Value>): OperatorNode[] {
  const order: OperatorNode[] = [];
  const depends = new Map<Value, boolean>();
  const visited = new Map<OperatorNode, boolean>();
  // An explicit stack: unrolled graphs are deeper than the call stack.
  const stack: { value: Value; entered: boolean }[] = [{ value: output, entered: false }];
  while (stack.length > 0) {
    const top = stack[stack.length - 1] as { value: Value; entered: boolean };
    const { value } = top;
    const node = value.producer;
    if (depends.has(value) || node.kind !== "operator") {
      if (!depends.has(value)) depends.set(value, sources.has(value));
      stack.pop();
    } else if (!top.entered && !visited.has(node)) {
      top.entered = true;
      for (const operand of node.inputs)
        if (operand !== undefined) stack.push({ value: operand, entered: false });
    } else {
      let reaches = visited.get(node);
      if (reaches === undefined) {
        reaches = node.inputs.some((operand) => operand !== undefined && depends.get(operand) === true);
        visited.set(node, reaches);
        if (reaches) order.push(node);
      }
      depends.set(value, reaches || sources.has(value));
      stack.pop();
    }
  }
  return order;
}

/**
 * Gradients of a scalar with respect to values of its graph (parameters, inputs or values in between).
 * @param loss float32 of shape [].
 * @returns one value per entry of `wrt`, of that entry's shape; zeros where the loss does not depend on it.
 * @throws ShapeError when `loss` is no scalar or an operator on the way has no gradient rule.
 */
export function gradients(loss: Value, wrt: readonly Value[]): Value[] {
  if (loss.shape.length !== 0) {
    throw new ShapeError(`expects a scalar, got ${formatShape(loss.shape)}`, { where: "gradients" });
  }
  const sources = new Set(wrt);
  const accumulated = new Map<Value, Value>([[loss, constant(1)]]);
  for (const node of nodesBetween(loss, sources).reverse()) {
    const outputGradients = node.outputs.map((output) => accumulated.get(output));
    if (outputGradients.every((gradient) => gradient === undefined)) continue;
    const rule = node.operator.gradient;
    if (rule === undefined) throw new ShapeError("has no gradient rule", { where: node.operator.name });
    const inputGradients = rule(node, outputGradients);
    node.inputs.forEach((operand, index) => {
      const gradient = inputGradients[index];
      if (operand === undefined || gradient === undefined) return;
      if (!sameShape(gradient.shape, operand.shape)) {
        throw new ShapeError(
          `gradient ${formatShape(gradient.shape)} of input ${index} ${formatShape(operand.shape)}`,
          { where: node.operator.name },
        );
      }
      const sum = accumulated.get(operand);
      accumulated.set(operand, sum === undefined ? gradient : add(sum, gradient));
    });
  }
  return wrt.map((value) => accumulated.get(value) ?? zeros(value.shape));
}
