/** @file A graph as one target runs it: every value traced to a kernel of that target or to a leaf. */
import type { Kernel, OperatorNode, Target, Value } from "./value.ts";

/** Everything that a graph consists of, operands before the nodes that use them. */
export interface Listing {
  readonly nodes: readonly OperatorNode[];
  /** Inputs, arguments, parameters, constants and sizes. */
  readonly leaves: readonly Value[];
}

export class Lowering {
  readonly #target: Target;
  /** Outputs of the nodes that are written in other operators, each expanded once. */
  readonly #expansions = new Map<OperatorNode, readonly Value[]>();

  constructor(target: Target) {
    this.#target = target;
  }

  /** The value that stands in the graph for this one. */
  resolve(value: Value): Value {
    let resolved = value;
    for (;;) {
      const { producer } = resolved;
      if (producer.kind === "composite") resolved = producer.definition;
      else if (producer.kind !== "operator") return resolved;
      else {
        const outputs = this.#expand(producer);
        if (outputs === undefined) return resolved;
        resolved = outputs[producer.outputs.indexOf(resolved)] as Value;
      }
    }
  }

  /** The kernel of a resolved node. */
  kernelOf({ operator }: OperatorNode): Kernel {
    return operator.lower(this.#target) as Kernel;
  }

  #expand(node: OperatorNode): readonly Value[] | undefined {
    const lowered = node.operator.lower(this.#target);
    if (typeof lowered !== "function") return undefined;
    const known = this.#expansions.get(node);
    if (known !== undefined) return known;
    const outputs = lowered(node);
    this.#expansions.set(node, outputs);
    return outputs;
  }

  /**
   * What the outputs need, the leaves of nested graphs included.
   * @param outside values that are computed elsewhere: the listing stops at them.
   */
  list(outputs: readonly Value[], outside: readonly Value[] = []): Listing {
    const nodes: OperatorNode[] = [];
    const leaves: Value[] = [];
    const done = new Set<object>(outside.map((value) => this.resolve(value).producer));
    // An explicit stack: unrolled graphs are deeper than the call stack.
    const stack: { value: Value; entered: boolean }[] = [];
    const push = (value: Value): void => {
      stack.push({ value: this.resolve(value), entered: false });
    };
    for (const output of [...outputs].reverse()) push(output);
    while (stack.length > 0) {
      const top = stack[stack.length - 1] as { value: Value; entered: boolean };
      const { producer } = top.value;
      if (done.has(producer)) {
        stack.pop();
      } else if (producer.kind !== "operator") {
        done.add(producer);
        leaves.push(top.value);
        stack.pop();
      } else if (!top.entered) {
        top.entered = true;
        for (const operand of producer.inputs) if (operand !== undefined) push(operand);
      } else {
        done.add(producer);
        nodes.push(producer);
        for (const { results } of Object.values(producer.nested?.graphs ?? {}))
          leaves.push(...this.list(results, definedInputs(producer)).leaves);
        stack.pop();
      }
    }
    return { nodes, leaves };
  }
}

/** The operands of a node that are there. */
export function definedInputs({ inputs }: OperatorNode): Value[] {
  return inputs.filter((value) => value !== undefined);
}
