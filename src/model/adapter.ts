/**
 * @file Adapters of low rank beside linears (LoRA, arXiv 2106.09685): y = x Wᵀ + b + scale * (x Aᵀ) Bᵀ. The names are those
 * of PEFT, behind the linear's own.
 */
import { scale as scaled } from "../graph/operators/elementwise.ts";
import { gatherRows } from "../graph/operators/gather.ts";
import { linear, matmul } from "../graph/operators/matmul.ts";
import { reshape } from "../graph/operators/reshape.ts";
import type { Dim } from "../graph/size.ts";
import { input, shapeError, type Value } from "../graph/value.ts";
import type { LinearDelta, ParameterSpec } from "./parameter-scope.ts";

/** A linear x [..., inputs] -> [..., outputs], by the name that its weight has without `.weight`. */
export interface LinearShape {
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
}

/** What an adapter adds to one linear. */
export interface AdapterLinear extends LinearShape {
  readonly rank: number;
  /** Factor of the product, see {@link scaleOf}. */
  readonly scale: number;
  /** A [rank, inputs] */
  readonly down: Float32Array;
  /** B [outputs, rank] */
  readonly up: Float32Array;
}

/** Matrices that no adapter stands beside: the vocabulary's table is read row by row, and the LM head draws nothing. */
const UNADAPTED = /^(?:embed_tokens|lm_head|before_lm_head)\.weight$/;
const WEIGHT = ".weight";

/** The linears of backbone and image head among all weights of a model. */
export function adaptableLinears(parameters: readonly ParameterSpec[]): readonly LinearShape[] {
  return parameters.flatMap(({ name, shape }) => {
    const [outputs, inputs] = shape;
    if (shape.length !== 2 || outputs === undefined || inputs === undefined) return [];
    if (!name.endsWith(WEIGHT) || UNADAPTED.test(name)) return [];
    return [{ name: name.slice(0, -WEIGHT.length), inputs, outputs }];
  });
}

/** Factor of an adapter's product: alpha / rank, or rank-stabilised alpha / sqrt(rank) (arXiv 2312.03732). */
export function scaleOf(alpha: number, rank: number, rankStabilised: boolean): number {
  return alpha / (rankStabilised ? Math.sqrt(rank) : rank);
}

/** Names of an adapter's matrices beside a linear, as parameters of a graph and in PEFT's files. */
export const downName = (linear: string): string => `${linear}.lora_A.weight`;
export const upName = (linear: string): string => `${linear}.lora_B.weight`;

/**
 * One adapter for all rows, its matrices being parameters: for training.
 * @param dropped what becomes of a linear's x in front of A (dropout); default: nothing.
 */
export function trainedDelta(
  linears: readonly Pick<AdapterLinear, "name" | "rank" | "scale">[],
  dropped: (x: Value, linear: string) => Value = (x) => x,
): LinearDelta {
  const byName = new Map(linears.map((own) => [own.name, own]));
  return (scope, name, x, outputs) => {
    const own = byName.get(name);
    if (own === undefined) return undefined;
    const inputs = x.shape.at(-1) as number;
    const inner = linear(dropped(x, name), scope.get(downName(name), [own.rank, inputs])); // [..., rank]
    return scaled(linear(inner, scope.get(upName(name), [outputs, own.rank])), own.scale);
  };
}

/** Inputs that hold the matrices of several adapters beside a linear. */
export const tableNames = (linear: string) => ({ down: `${linear}.lora_A`, up: `${linear}.lora_B` }) as const;

/**
 * An adapter for each row, chosen among several: inputs `NAME.lora_A` [places, 1, rank, inputs] and `NAME.lora_B`
 * [places, 1, rank, outputs], B transposed and scaled. Matrices of a lower rank are filled up with zeros, and a place of zeros is no
 * adapter. Each token has products of its own, so that no bit of it depends on the other rows, the other tokens or the
 * other places.
 * @param placesOf the place of each row of values whose first axis has a size. int64 [size]
 */
export function chosenDelta(linears: ReadonlySet<string>, placesOf: (rows: Dim) => Value): LinearDelta {
  return (_scope, name, x, outputs) => {
    if (!linears.has(name)) return undefined;
    const [rows, ...middle] = x.shape.slice(0, -1) as [Dim, ...Dim[]];
    if (middle.length > 1) throw shapeError("adapter", `[${x.shape}] is not rows, or rows of tokens`);
    const inputs = x.shape.at(-1) as number;
    const { down, up } = tableNames(name);
    const places = placesOf(rows);
    // An axis of 1 in the tables, not a reshape: there may be no rows, of which the engine infers no size.
    const table = (side: string, width: number): Value =>
      gatherRows(input(side, "float32", ["places", 1, "rank", width]), places); // [rows, 1, rank, width]
    const apart = reshape(x, [rows, middle[0] ?? 1, 1, inputs]);
    const inner = matmul(apart, table(down, inputs), { transB: true }); // [rows, tokens, 1, rank]
    const delta = matmul(inner, table(up, outputs)); // [rows, tokens, 1, outputs]
    return reshape(delta, [rows, ...middle, outputs]);
  };
}

/** W + scale * B A, in float32, the sums in float64. weight [outputs, inputs], changed in place. */
export function mergeInto(
  weight: Float32Array,
  { down, up, rank, scale, inputs, outputs }: AdapterLinear,
): void {
  const row = new Float64Array(inputs);
  for (let output = 0; output < outputs; output++) {
    row.fill(0);
    for (let r = 0; r < rank; r++) {
      const factor = scale * (up[output * rank + r] as number);
      const from = r * inputs;
      for (let i = 0; i < inputs; i++) row[i] = (row[i] as number) + factor * (down[from + i] as number);
    }
    const at = output * inputs;
    for (let i = 0; i < inputs; i++) weight[at + i] = (weight[at + i] as number) + (row[i] as number);
  }
}
