/** @file Repeated timing of one piece of work, and what is reported of it. */
import { availableParallelism, cpus } from "node:os";

export interface Measurement {
  readonly name: string;
  /** Sizes and settings of what was timed. */
  readonly sizes: Readonly<Record<string, number | string>>;
  readonly runs: number;
  readonly milliseconds: { readonly min: number; readonly median: number; readonly max: number };
  /** Multiplications and additions of one run; undefined where they are not counted. */
  readonly flops?: number;
  /** flops of the median run, in 1e9 a second. */
  readonly gigaflopsPerSecond?: number;
  readonly machine: { readonly cpu: string; readonly processors: number; readonly node: string };
}

export interface MeasureOptions {
  readonly runs: number;
  readonly flops?: number;
}

/** Runs `work` once to warm up, then `runs` times. */
export async function measure(
  name: string,
  sizes: Readonly<Record<string, number | string>>,
  { runs, flops }: MeasureOptions,
  work: () => Promise<unknown>,
): Promise<Measurement> {
  await work();
  const times: number[] = [];
  for (let run = 0; run < runs; run++) {
    const started = performance.now();
    await work();
    times.push(performance.now() - started);
  }
  times.sort((a, b) => a - b);
  const round = (value: number): number => Number(value.toPrecision(4));
  const median = times[Math.floor(times.length / 2)]!;
  return {
    name,
    sizes,
    runs,
    milliseconds: { min: round(times[0]!), median: round(median), max: round(times.at(-1)!) },
    ...(flops === undefined ? {} : { flops, gigaflopsPerSecond: round(flops / median / 1e6) }),
    machine: {
      cpu: cpus()[0]?.model ?? "unknown",
      processors: availableParallelism(),
      node: process.version,
    },
  };
}
