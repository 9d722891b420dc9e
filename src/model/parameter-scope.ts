/** @file The weights that a graph asks for, each once, by its checkpoint name, in the format that a plan gives it. */
import { type BlockMatrix, gatherBlocks, matmulBlocks } from "../graph/operators/blocks.ts";
import { cast } from "../graph/operators/cast.ts";
import { add } from "../graph/operators/elementwise.ts";
import { gatherRows } from "../graph/operators/gather.ts";
import { linear } from "../graph/operators/matmul.ts";
import { parameter, type StorageType, shapeError, type Value } from "../graph/value.ts";
import {
  type BlockFormat,
  packedShapes,
  scalesName,
  type WeightFormat,
  type WeightPlan,
  zeroPointsName,
} from "./weight-format.ts";

export interface ParameterSpec {
  /** Name in the checkpoint, e.g. `layers.0.mlp.up_proj.weight`. */
  readonly name: string;
  readonly shape: readonly number[];
}

export interface LinearOptions {
  readonly bias: boolean;
}

/**
 * What is added to the product of a linear `name`, x [..., inputs] -> [..., outputs], by whoever changes a model without its
 * functions knowing (model/adapter.ts); undefined where nothing is.
 */
export type LinearDelta = (
  scope: ParameterScope,
  name: string,
  x: Value,
  outputs: number,
) => Value | undefined;

/**
 * Hands out parameters; asking twice for a name gives the same value, so its gradient is complete. What a model
 * function computes with is float32, whatever the weights are stored as.
 */
export class ParameterScope {
  readonly #plan: WeightPlan;
  readonly #delta: LinearDelta;
  #values = new Map<string, Value>();
  /** What is computed with, by name, for 16-bit weights: one conversion serves all uses. */
  #widened = new Map<string, Value>();

  /**
   * @param plan Default: all float32.
   * @param delta Default: nothing is added to linears.
   */
  constructor(plan: WeightPlan = () => "float32", delta: LinearDelta = () => undefined) {
    this.#plan = plan;
    this.#delta = delta;
  }

  /** The same weights with nothing added to linears: what is asked of either is one value. */
  withoutDelta(): ParameterScope {
    const plain = new ParameterScope(this.#plan);
    plain.#values = this.#values;
    plain.#widened = this.#widened;
    return plain;
  }

  /** A float32 weight. @throws ShapeError when the name was already asked for with another shape. */
  get(name: string, shape: readonly number[]): Value {
    const format = this.#plan(name);
    return isHalf(format) ? this.#wide(name, shape, format) : this.#parameter(name, shape, "float32");
  }

  /**
   * x Wᵀ + b with the weights `name.weight` [outputs, inputs] and, if asked for, `name.bias` [outputs].
   * x [..., inputs] -> [..., outputs]
   */
  linear(name: string, x: Value, outputs: number, options: LinearOptions): Value {
    const weight = `${name}.weight`;
    const inputs = x.shape.at(-1) as number;
    const format = this.#plan(weight);
    const product = isBlocks(format)
      ? matmulBlocks(x, this.#blocks(weight, [outputs, inputs], format))
      : linear(x, this.get(weight, [outputs, inputs]));
    const y = options.bias ? add(product, this.get(`${name}.bias`, [outputs])) : product;
    const delta = this.#delta(this, name, x, outputs);
    return delta === undefined ? y : add(y, delta);
  }

  /** Rows of the table `name.weight` [rows, width]. ids int64 [...] in 0 to rows - 1 -> [..., width] */
  embedding(name: string, ids: Value, shape: readonly [rows: number, width: number]): Value {
    const weight = `${name}.weight`;
    const format = this.#plan(weight);
    if (isBlocks(format)) return gatherBlocks(this.#blocks(weight, shape, format), ids);
    // Only the rows that are read are widened, so that the table stays as it is stored.
    if (isHalf(format)) return cast(gatherRows(this.#parameter(weight, shape, format), ids), "float32");
    return gatherRows(this.get(weight, shape), ids);
  }

  #wide(name: string, shape: readonly number[], format: "float16" | "bfloat16"): Value {
    const stored = this.#parameter(name, shape, format);
    const value = this.#widened.get(name) ?? cast(stored, "float32");
    this.#widened.set(name, value);
    return value;
  }

  #blocks(name: string, [outputs, inputs]: readonly [number, number], format: BlockFormat): BlockMatrix {
    const shapes = packedShapes(format, outputs, inputs);
    return {
      packed: this.#parameter(name, shapes.packed, "uint8"),
      scales: this.#parameter(scalesName(name), shapes.scales, "float32"),
      zeroPoints: format.symmetric
        ? undefined
        : this.#parameter(zeroPointsName(name), shapes.zeroPoints, "uint8"),
      inputs,
      bits: format.bits,
      blockSize: format.blockSize,
    };
  }

  #parameter(name: string, shape: readonly number[], dtype: "float32" | StorageType): Value {
    const known = this.#values.get(name);
    if (known !== undefined) {
      if (known.shape.join() !== shape.join()) {
        throw shapeError(`parameter "${name}"`, `asked for as [${shape}] and as [${known.shape}]`);
      }
      return known;
    }
    const value = parameter(name, shape, dtype);
    this.#values.set(name, value);
    return value;
  }

  /** The parameters asked for so far, as they are stored, in the order of the first asking. */
  values(): ReadonlyMap<string, Value> {
    return this.#values;
  }

  /** Names and shapes, in the order of the first asking. */
  get list(): ParameterSpec[] {
    return [...this.#values].map(([name, value]) => ({ name, shape: value.shape as readonly number[] }));
  }
}

function isHalf(format: WeightFormat): format is "float16" | "bfloat16" {
  return format === "float16" || format === "bfloat16";
}

function isBlocks(format: WeightFormat): format is BlockFormat {
  return typeof format === "object";
}
