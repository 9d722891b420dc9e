/** @file Reverse-mode differentiation: walks a graph from a value back to the values asked for. */
import { ShapeError } from "../errors.ts";
import { zeros } from "./operators/broadcast.ts";
import { add } from "./operators/elementwise.ts";
import { formatShape, sameShape } from "./size.ts";
import { type CompositeNode, constant, type OperatorNode, type Value } from "./value.ts";

type Node = OperatorNode | CompositeNode;

/** A node on the way, with the values that it makes. */
interface Step {
  readonly node: Node;
  readonly outputs: readonly Value[];
}

/**
 * Nodes on a path from any of `sources` to `output`, in an order in which inputs come first.
 * @param boundary one of the sources, behind which nothing is looked for.
 */
function stepsBetween(output: Value, sources: ReadonlySet<Value>, boundary?: Value): Step[] {
  const order: Step[] = [];
  const depends = new Map<Value, boolean>(boundary === undefined ? [] : [[boundary, true]]);
  const visited = new Map<Node, boolean>();
  // An explicit stack: unrolled graphs are deeper than the call stack.
  const stack: { value: Value; entered: boolean }[] = [{ value: output, entered: false }];
  while (stack.length > 0) {
    const top = stack[stack.length - 1] as { value: Value; entered: boolean };
    const { value } = top;
    const node = value.producer;
    if (depends.has(value) || (node.kind !== "operator" && node.kind !== "composite")) {
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
        if (reaches) order.push({ node, outputs: node.kind === "operator" ? node.outputs : [value] });
      }
      depends.set(value, reaches || sources.has(value));
      stack.pop();
    }
  }
  return order;
}

function nameOf(node: Node): string {
  return node.kind === "operator" ? node.operator.name : node.name;
}

function backward(
  node: Node,
  outputGradients: readonly (Value | undefined)[],
): readonly (Value | undefined)[] {
  if (node.kind === "composite") return node.gradient(outputGradients[0] as Value);
  const rule = node.operator.gradient;
  if (rule === undefined) throw new ShapeError("has no gradient rule", { where: nameOf(node) });
  return rule(node, outputGradients);
}

/**
 * Gradients of a scalar with respect to values of its graph (parameters, inputs or values in between).
 * @param loss float32 of shape [].
 * @returns one value per entry of `wrt`, of that entry's shape; zeros where the loss does not depend on it.
 * @throws ShapeError when `loss` is no scalar, one of `wrt` is not float32 (packed weights are frozen), or an operator
 * on the way has no gradient rule.
 */
export function gradients(loss: Value, wrt: readonly Value[]): Value[] {
  if (loss.shape.length !== 0) {
    throw new ShapeError(`expects a scalar, got ${formatShape(loss.shape)}`, { where: "gradients" });
  }
  return pullBack(loss, constant(1), wrt);
}

/**
 * The product of a value's Jacobian with its gradient, that is the gradients of whatever scalar `gradient` belongs to.
 * @param gradient of `output`, of its shape.
 * @param boundary one of `wrt`: what it is made of counts as given. Default: none.
 * @returns as {@link gradients} does.
 * @throws ShapeError as {@link gradients} does.
 */
export function pullBack(output: Value, gradient: Value, wrt: readonly Value[], boundary?: Value): Value[] {
  for (const { dtype, shape } of wrt) {
    if (dtype !== "float32")
      throw new ShapeError(`${dtype}${formatShape(shape)} has no gradient`, { where: "gradients" });
  }
  const sources = new Set(wrt);
  const accumulated = new Map<Value, Value>([[output, gradient]]);
  for (const { node, outputs } of stepsBetween(output, sources, boundary).reverse()) {
    const outputGradients = outputs.map((output) => accumulated.get(output));
    if (outputGradients.every((gradient) => gradient === undefined)) continue;
    const inputGradients = backward(node, outputGradients);
    node.inputs.forEach((operand, index) => {
      const own = inputGradients[index];
      if (operand === undefined || own === undefined) return;
      if (!sameShape(own.shape, operand.shape)) {
        throw new ShapeError(
          `gradient ${formatShape(own.shape)} of input ${index} ${formatShape(operand.shape)}`,
          { where: nameOf(node) },
        );
      }
      const sum = accumulated.get(operand);
      accumulated.set(operand, sum === undefined ? own : add(sum, own));
    });
  }
  return wrt.map((value) => accumulated.get(value) ?? zeros(value.shape));
}
