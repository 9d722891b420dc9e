/** @file One random test of one operator: operands, the operator's graph, and the same in float64 loops. */
import type { CounterRng } from "../../tensor/counter-rng.ts";
import type { Dim } from "../size.ts";
import { input, type Value, type ValueType } from "../value.ts";
import { generate, type Tensor64 } from "./tensor64.ts";

/** An axis as the graph sees it (a number or a symbol) and its number of elements in this case. */
export interface Axis {
  readonly dim: Dim;
  readonly size: number;
}

export interface Operand {
  readonly name: string;
  readonly value: Value;
  readonly tensor: Tensor64;
  /** Whether the operator has a gradient with respect to this operand. */
  readonly differentiable: boolean;
}

export interface OperatorCase {
  readonly operands: readonly Operand[];
  readonly outputs: readonly Value[];
  /** The outputs from the operands' tensors, in the operands' order. */
  readonly reference: (tensors: readonly Tensor64[]) => readonly Tensor64[];
  /** How far outputs may be off, relative to the largest, where the operator itself rounds more than float32 does. */
  readonly tolerance?: number;
}

/** Makes a new case at every call. */
export type CaseGenerator = (draw: CaseDraw) => OperatorCase;

/** What `finish` needs: the operator's outputs and their reference. */
type Outputs = Value | readonly Value[];
type Reference = (...tensors: Tensor64[]) => Tensor64 | readonly Tensor64[];

/** Draws the axes, options and operands of one case. */
export class CaseDraw {
  readonly #rng: CounterRng;
  readonly #operands: Operand[] = [];
  #symbols = 0;

  constructor(rng: CounterRng) {
    this.#rng = rng;
  }

  /** An integer from `low` to `high`, both included. */
  integer(low: number, high: number): number {
    return low + this.#rng.below(high - low + 1);
  }

  flip(): boolean {
    return this.#rng.below(2) === 1;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.#rng.below(choices.length)] as T;
  }

  /** A uniform number from `low` to `high`. */
  number(low: number, high: number): number {
    return low + (high - low) * this.#rng.uniform();
  }

  /** 0, 1, ... count-1 in random order. */
  order(count: number): number[] {
    return this.#rng.shuffle(Array.from({ length: count }, (_, index) => index));
  }

  /** A known or, half of the time, a symbolic size. Every call is a new symbol. */
  axis(low: number, high: number): Axis {
    const size = this.integer(low, high);
    return this.flip() ? this.known(size) : { dim: `size${this.#symbols++}`, size };
  }

  known(size: number): Axis {
    return { dim: size, size };
  }

  /** Twice a known or symbolic size. */
  evenAxis(low: number, high: number): Axis {
    const half = this.axis(low, high);
    return typeof half.dim === "number"
      ? this.known(2 * half.size)
      : { dim: `2*${half.dim}`, size: 2 * half.size };
  }

  /** `low` to `high` axes of 1 to 4 elements. */
  axes(low: number, high: number): Axis[] {
    return Array.from({ length: this.integer(low, high) }, () => this.axis(1, 4));
  }

  /** Axes that broadcast to `axes`: some of size 1, some leading ones missing. */
  broadcast(axes: readonly Axis[]): Axis[] {
    const kept = axes.slice(this.pick([0, 0, this.integer(0, axes.length)]));
    return kept.map((axis) => (this.integer(0, 2) === 0 ? this.known(1) : axis));
  }

  /** A float32 operand; `element` defaults to uniform numbers in -2 to 2. */
  operand(axes: readonly Axis[], element: () => number = () => this.number(-2, 2)): Operand {
    return this.#add("float32", axes, () => Math.fround(element()), true);
  }

  /** An operand that no gradient is asked for. */
  fixed(axes: readonly Axis[], element: () => number): Operand {
    return this.#add("float32", axes, () => Math.fround(element()), false);
  }

  /** Indices 0 to `count` - 1, with repeats. */
  indices(axes: readonly Axis[], count: number): Operand {
    return this.integers(axes, () => this.integer(0, count - 1));
  }

  integers(axes: readonly Axis[], element: () => number): Operand {
    return this.#add("int64", axes, element, false);
  }

  /** One truth value, bool []. */
  flag(): Operand {
    return this.#add("bool", [], () => this.integer(0, 1), false);
  }

  #add(dtype: ValueType, axes: readonly Axis[], element: () => number, differentiable: boolean): Operand {
    const name = `operand${this.#operands.length}`;
    const shape = axes.map(({ dim }) => dim);
    const tensor = generate(
      axes.map(({ size }) => size),
      element,
    );
    const operand = { name, value: input(name, dtype, shape), tensor, differentiable };
    this.#operands.push(operand);
    return operand;
  }

  /** The case of all operands drawn so far. */
  finish(outputs: Outputs, reference: Reference, tolerance?: number): OperatorCase {
    return {
      ...(tolerance === undefined ? {} : { tolerance }),
      operands: this.#operands,
      outputs: "producer" in outputs ? [outputs] : outputs,
      reference: (tensors) => {
        const result = reference(...tensors);
        return "data" in result ? [result] : result;
      },
    };
  }
}
