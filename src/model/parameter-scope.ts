/** @file The weights that a graph asks for, each once, by its checkpoint name. */
import type { Shape } from "../graph/size.ts";
import { parameter, shapeError, type Value } from "../graph/value.ts";

export interface ParameterSpec {
  /** Name in the checkpoint, e.g. `layers.0.mlp.up_proj.weight`. */
  readonly name: string;
  readonly shape: readonly number[];
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

  /** The values asked for so far, in the order of the first asking. */
  values(): ReadonlyMap<string, Value> {
    return this.#values;
  }

  /** Names and shapes, in the order of the first asking. */
  get list(): ParameterSpec[] {
    return [...this.#values].map(([name, value]) => ({ name, shape: value.shape as readonly number[] }));
  }
}
