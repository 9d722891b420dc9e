/**
 * @file Dropout in front of an adapter's products: each number of a linear's x is left out with a probability, the others are
 * raised to make up for it. All masks of an update are pieces of one line of random numbers that the step decides, so that a
 * run that is continued draws what the other would have; pieces of two linears begin at other places of it.
 */
import { mul } from "../../graph/operators/elementwise.ts";
import { slice } from "../../graph/operators/layout.ts";
import { reshape } from "../../graph/operators/reshape.ts";
import { addSizes, sizeOf } from "../../graph/size.ts";
import { input, type Value } from "../../graph/value.ts";
import type { HostTensor } from "../../runtime/engine.ts";
import type { CounterRng } from "../../tensor/counter-rng.ts";

/** Input of a graph with dropout: zeros, and factors that make up for them. [factors] */
export const DROPOUT_INPUT = "dropout";

/** Places are this far apart at most; a prime, so that pieces of few linears meet in step. */
const SPREAD = 65_521;
/** Of the places of linears that follow each other. */
const STRIDE = 7_919;

/** The masks of linears, each with a place of its own. */
export function droppedBy(
  linears: readonly { readonly name: string }[],
): (x: Value, linear: string) => Value {
  const places = new Map(linears.map(({ name }, index) => [name, (index * STRIDE) % SPREAD]));
  const factors = input(DROPOUT_INPUT, "float32", ["factors"]);
  return (x, linear) => {
    const start = places.get(linear) ?? 0;
    const mask = slice(factors, { axis: 0, start, end: addSizes(start, sizeOf(x.shape)) });
    return mul(x, reshape(mask, x.shape));
  };
}

/** Factors for values of as many numbers, and the places where masks begin. */
export function dropoutFeed(numbers: number, probability: number, rng: CounterRng): HostTensor {
  const data = new Float32Array(numbers + SPREAD);
  rng.fillUniform(data);
  const kept = 1 / (1 - probability);
  for (let i = 0; i < data.length; i++) data[i] = (data[i] as number) < probability ? 0 : kept;
  return { dtype: "float32", shape: [data.length], data };
}
