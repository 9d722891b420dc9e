/** @file A computation that is repeated along the first axis of sequences, handing its state on. */
import { formatShape, sameShape } from "../size.ts";
import {
  applyMany,
  argument,
  kernel,
  type Operator,
  type OperatorNode,
  shapeError,
  type Value,
} from "../value.ts";

const scanOperator: Operator = { name: "scan", lower: kernel("Scan") };

export interface ScanStep {
  /** In the place of the state that the step was given: as many values, of the same types and shapes. */
  readonly state: readonly Value[];
  /** What is kept of the step. */
  readonly outputs: readonly Value[];
}

/**
 * Runs `step` for each element of `sequences` [n, ...], which all have the same n of at least 1. What in it depends on
 * neither state nor element is computed once, in front. Without a gradient.
 * @returns the state behind the last step, and the outputs of all steps, each [n, ...].
 */
export function scan(
  initial: readonly Value[],
  sequences: readonly Value[],
  step: (state: readonly Value[], elements: readonly Value[]) => ScanStep,
): ScanStep {
  const [count] = sequences[0]?.shape ?? [];
  for (const { shape } of sequences) {
    if (count === undefined || shape[0] !== count)
      throw shapeError("scan", `${formatShape(shape)} is no sequence of ${count}`);
  }
  const given = initial.map(({ dtype, shape }) => argument("state", dtype, shape));
  const elements = sequences.map(({ dtype, shape }) => argument("element", dtype, shape.slice(1)));
  const { state, outputs } = step(given, elements);
  initial.forEach((value, index) => {
    const next = state[index];
    if (state.length === initial.length && next?.dtype === value.dtype && sameShape(next.shape, value.shape))
      return;
    throw shapeError("scan", `the step makes another state of ${value.dtype}${formatShape(value.shape)}`);
  });
  const results = [...state, ...outputs];
  const whole = outputs.map(({ dtype, shape }) => ({ dtype, shape: [count ?? 0, ...shape] }));
  const made = applyMany(
    scanOperator,
    [...initial, ...sequences, ...invariants(results)],
    [...initial, ...whole],
    { num_scan_inputs: sequences.length },
    {
      operands: initial.length + sequences.length,
      graphs: { body: { arguments: [...given, ...elements], results } },
    },
  );
  return { state: made.slice(0, initial.length), outputs: made.slice(initial.length) };
}

/** Computed values that do not depend on an argument, where what does begins. */
function invariants(results: readonly Value[]): Value[] {
  const found = new Set<Value>();
  const known = new Map<Value, boolean>();
  const operandsOf = (value: Value): readonly Value[] => {
    const { producer } = value;
    if (producer.kind === "composite") return [producer.definition];
    return producer.kind === "operator" ? definedOperands(producer) : [];
  };
  const varies = (value: Value): boolean => {
    const answer = known.get(value);
    if (answer !== undefined) return answer;
    const operands = operandsOf(value);
    const varying = operands.filter(varies);
    const own = value.producer.kind === "argument" || varying.length > 0;
    known.set(value, own);
    if (own) for (const operand of operands) if (isComputed(operand) && !varies(operand)) found.add(operand);
    return own;
  };
  for (const result of results) if (!varies(result) && isComputed(result)) found.add(result);
  return [...found];
}

function isComputed({ producer }: Value): boolean {
  return producer.kind === "operator" || producer.kind === "composite";
}

function definedOperands({ inputs }: OperatorNode): Value[] {
  return inputs.filter((value) => value !== undefined);
}
