/** @file Two decoders of many layers and two of few, turn by turn: what a layer takes, and how both sides compare. */
import { setTimeout as wait } from "node:timers/promises";
import type { Decoder } from "./decoder.ts";

/** One side: the same model with many layers and with few. Their difference is layers and nothing else. */
export interface Side {
  readonly many: Decoder;
  readonly few: Decoder;
}

export interface Spread {
  readonly least: number;
  readonly median: number;
}

export interface Comparison {
  /** Milliseconds of a layer. */
  readonly ours: Spread;
  readonly peer: Spread;
  /** Ours by theirs: of the least times, and of what stood side by side. */
  readonly ratio: {
    readonly ofLeast: number;
    readonly median: number;
    readonly min: number;
    readonly max: number;
  };
}

/** Threads that are done spin for a while before they sleep: the other side is not to pay for that. */
const REST_MS = 20;

/**
 * @param layers by which `many` and `few` differ.
 * @param rounds in each of which all four take a turn.
 */
export async function compare(ours: Side, peer: Side, layers: number, rounds: number): Promise<Comparison> {
  const times = { ours: { many: [], few: [] }, peer: { many: [], few: [] } } as Record<
    "ours" | "peer",
    Record<"many" | "few", number[]>
  >;
  for (let round = 0; round < rounds; round++) {
    for (const size of ["many", "few"] as const) {
      times.ours[size].push(await turn(ours[size]));
      times.peer[size].push(await turn(peer[size]));
    }
  }
  const layerTimes = ({ many, few }: Record<"many" | "few", number[]>) => ({
    each: many.map((time, round) => (time - few[round]!) / layers),
    least: (Math.min(...many) - Math.min(...few)) / layers,
  });
  const [own, theirs] = [layerTimes(times.ours), layerTimes(times.peer)];
  const pairs = own.each.map((time, round) => time / theirs.each[round]!);
  return {
    ours: { least: rounded(own.least), median: rounded(median(own.each)) },
    peer: { least: rounded(theirs.least), median: rounded(median(theirs.each)) },
    ratio: {
      ofLeast: rounded(own.least / theirs.least),
      median: rounded(median(pairs)),
      min: rounded(Math.min(...pairs)),
      max: rounded(Math.max(...pairs)),
    },
  };
}

/** The second of two steps: the first wakes threads and finds the caches as the other side left them. */
async function turn(decoder: Decoder): Promise<number> {
  await wait(REST_MS);
  await decoder.step();
  return decoder.step();
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
