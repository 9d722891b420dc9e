/** @file The weights that a graph asks for, each once, by its checkpoint name. */
import { gatherRows } from "../graph/operators/gather.ts";
import { linear } from "../graph/operators/matmul.ts";
import type { Shape } from "../graph/size.ts";
import { parameter, shapeError, type Value } from "../graph/value.ts";

export interface ParameterSpec {
  /** Name in the checkpoint, e.g. `layers.0.mlp.up_proj.weight`. */
  readonly name: string;
  readonly shape: readonly number[];
}

export interface LinearOptions {
  readonly bias: boolean;
}

/** Hands out parameters; asking twice for a name gives the same value, so its gradient is complete. */
export class ParameterScope {
  readonly #values = new Map<string, Value>();

  /** @throws ShapeError when the name was already asked for with another shape. */
  get(name: string, shape: readonly number[]): Value {
    const known = this.#values.get(name);
    if (known !== undefined) {
      if (known.shape.join() !== shape.join()) {
        throw shapeError(`parameter "${name}"`, `asked for as [${shape}] and as [${known.shape}]`);
      }
      return known;
    }
    const value = parameter(name, shape as Shape);
    this.#values.set(name, value);
    return value;
  }

  /**
   * x Wᵀ + b with the weights `name.weight` [outputs, inputs] and, if asked for, `name.bias` [outputs].
   * x [..., inputs] -> [..., outputs]
   */
  linear(name: string, x: Value, outputs: number, options: LinearOptions): Value {
    const weight = this.get(`${name}.weight`, [outputs, x.shape.at(-1) as number]);
    return linear(x, weight, options.bias ? this.get(`${name}.bias`, [outputs]) : undefined);
  }

  /** Rows of the table `name.weight` [rows, width]. ids int64 [...] in 0 to rows - 1 -> [..., width] */
  embedding(name: string, ids: Value, shape: readonly [rows: number, width: number]): Value {
    return gatherRows(this.get(`${name}.weight`, shape), ids);
  }

  /** The values asked for so far, in the order of the first asking. */
  values(): ReadonlyMap<string, Value> {
    return this.#values;
  }

  /** Names and shapes, in the order of the first asking. */
  get list(): ParameterSpec[] {
    return [...this.#values].map(([name, value]) => ({ name, shape: value.shape as readonly number[] }));
  }
}
