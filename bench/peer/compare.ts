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

/** Milliseconds of a layer, and how they compare. */
export interface Comparison {
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

/**
 * By two clocks. Processor time, of all threads, is the one to trust on a busy machine, and with one thread alone: several
 * wait for each other, and spin.
 */
export interface Comparisons {
  readonly elapsed: Comparison;
  readonly processor: Comparison;
}

/** What clocks say, in milliseconds. */
export interface Times {
  readonly elapsed: number;
  readonly processor: number;
}

/** Threads that are done spin for a while before they sleep: the other side is not to pay for that. */
const REST_MS = 20;

/**
 * @param layers by which `many` and `few` differ.
 * @param rounds in each of which all four take a turn.
 */
export async function compare(
  ours: Side,
  peer: Side,
  layers: number,
  rounds: number,
  now: () => Times = readClocks,
): Promise<Comparisons> {
  const times = { ours: [], peer: [] } as Record<"ours" | "peer", { many: Times; few: Times }[]>;
  for (let round = 0; round < rounds; round++) {
    const own = await turn(ours.many, now);
    const theirs = await turn(peer.many, now);
    times.ours.push({ many: own, few: await turn(ours.few, now) });
    times.peer.push({ many: theirs, few: await turn(peer.few, now) });
  }
  const by = (clock: keyof Times): Comparison => {
    const layerTimes = (side: readonly { many: Times; few: Times }[]) => ({
      each: side.map(({ many, few }) => (many[clock] - few[clock]) / layers),
      least:
        (Math.min(...side.map(({ many }) => many[clock])) - Math.min(...side.map(({ few }) => few[clock]))) /
        layers,
    });
    return comparison(layerTimes(times.ours), layerTimes(times.peer));
  };
  return { elapsed: by("elapsed"), processor: by("processor") };
}

interface LayerTimes {
  /** Of each round. */
  readonly each: readonly number[];
  readonly least: number;
}

function comparison(ours: LayerTimes, peer: LayerTimes): Comparison {
  const pairs = ours.each.map((time, round) => time / peer.each[round]!);
  return {
    ours: { least: rounded(ours.least), median: rounded(median(ours.each)) },
    peer: { least: rounded(peer.least), median: rounded(median(peer.each)) },
    ratio: {
      ofLeast: rounded(ours.least / peer.least),
      median: rounded(median(pairs)),
      min: rounded(Math.min(...pairs)),
      max: rounded(Math.max(...pairs)),
    },
  };
}

/** The second of two steps: the first wakes threads and finds the caches as the other side left them. */
async function turn(decoder: Decoder, now: () => Times): Promise<Times> {
  await wait(REST_MS);
  await decoder.step();
  const started = now();
  await decoder.step();
  const ended = now();
  return { elapsed: ended.elapsed - started.elapsed, processor: ended.processor - started.processor };
}

function readClocks(): Times {
  const { user, system } = process.cpuUsage();
  return { elapsed: performance.now(), processor: (user + system) / 1000 };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
