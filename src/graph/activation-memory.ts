/** @file How much memory the values between a graph's inputs and outputs take while it runs. */
import { Lowering } from "./lowering.ts";
import { evaluateSize, sizeOf } from "./size.ts";
import type { OperatorNode, Value } from "./value.ts";

/** Bytes of an element that is computed with. */
const ELEMENT_BYTES: Readonly<Record<Value["dtype"], number>> = {
  float32: 4,
  int64: 8,
  bool: 1,
  float16: 2,
  bfloat16: 2,
  uint8: 1,
};

/** Kernels whose output is their first input under another shape. */
const VIEWS: ReadonlySet<string> = new Set(["Reshape", "Identity", "Squeeze", "Unsqueeze"]);

/** Kernels that write over an input of their output's size which nobody else needs. */
const IN_PLACE: ReadonlySet<string> = new Set([
  "Add",
  "Sub",
  "Mul",
  "Div",
  "Neg",
  "Sqrt",
  "Exp",
  "Sigmoid",
  "Softmax",
  "Reciprocal",
]);

/**
 * The most bytes that computed values take at once, each from where it is computed to where it is last needed, on a CPU.
 * Inputs and weights do not count, nor what kernels need for themselves. Of operators that run graphs, the operands' side alone counts.
 * @param sizes of all symbols in the graph's shapes.
 */
export function activationBytes(outputs: readonly Value[], sizes: ReadonlyMap<string, number>): number {
  const lowering = new Lowering("cpu");
  const { nodes } = lowering.list(outputs);
  const resolved = (value: Value): Value => lowering.resolve(value);
  const lastUse = new Map<Value, number>();
  nodes.forEach((node, index) => {
    for (const operand of node.inputs) if (operand !== undefined) lastUse.set(resolved(operand), index);
  });
  for (const output of outputs) lastUse.set(resolved(output), nodes.length);
  const known = new Map<string, number>();
  const bytesOf = ({ shape, dtype }: Value): number => {
    const key = shape.join();
    const elements = known.get(key) ?? evaluateSize(sizeOf(shape), sizes);
    known.set(key, elements);
    return elements * ELEMENT_BYTES[dtype];
  };
  /** The buffer of each value, and how many values that are still needed lie in it. */
  const buffers = new Map<Value, { readonly bytes: number; users: number }>();
  let held = 0;
  let most = 0;
  nodes.forEach((node, index) => {
    const dying = dyingOperands(node, index, lastUse, resolved);
    const { type } = lowering.kernelOf(node);
    for (const output of node.outputs) {
      const value = resolved(output);
      const bytes = bytesOf(value);
      const viewed = VIEWS.has(type) ? buffers.get(resolved(node.inputs[0] as Value)) : undefined;
      const overwritten = IN_PLACE.has(type)
        ? dying.map((operand) => buffers.get(operand)).find((one) => one?.users === 1 && one.bytes === bytes)
        : undefined;
      const shared = viewed ?? overwritten;
      const buffer = shared ?? { bytes, users: 0 };
      if (shared === undefined) held += bytes;
      buffer.users++;
      buffers.set(value, buffer);
    }
    most = Math.max(most, held);
    const unused = node.outputs.map(resolved).filter((value) => !lastUse.has(value));
    for (const value of [...dying, ...unused]) {
      const buffer = buffers.get(value);
      if (buffer === undefined) continue;
      buffer.users--;
      if (buffer.users === 0) held -= buffer.bytes;
    }
  });
  return most;
}

/** Computed operands that no later node needs. */
function dyingOperands(
  { inputs }: OperatorNode,
  index: number,
  lastUse: ReadonlyMap<Value, number>,
  resolved: (value: Value) => Value,
): Value[] {
  const operands = inputs.flatMap((operand) => (operand === undefined ? [] : [resolved(operand)]));
  return [...new Set(operands)].filter((operand) => lastUse.get(operand) === index);
}
