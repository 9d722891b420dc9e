/** @file Repeated timing of one piece of work, and what is reported of it. */
import { readFileSync } from "node:fs";
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
  /** Of the median run. */
  readonly millisecondsPerLayer?: number;
  /** To create the session. */
  readonly openSeconds?: number;
  readonly memory?: ResidentBytes;
  readonly machine: Machine;
}

export interface Machine {
  readonly cpu: string;
  readonly processors: number;
  readonly node: string;
}

export function machine(): Machine {
  return { cpu: cpus()[0]?.model ?? "unknown", processors: availableParallelism(), node: process.version };
}

/** Memory of this process. */
export interface ResidentBytes {
  readonly peak: number;
  readonly now: number;
  /** Of `now`, what is not the content of a file, which the system could drop. Linux only. */
  readonly anonymous?: number;
}

export function residentMemory(): ResidentBytes {
  const peak = 1024 * process.resourceUsage().maxRSS;
  const now = process.memoryUsage.rss();
  const status = process.platform === "linux" ? readFileSync("/proc/self/status", "utf8") : "";
  const anonymous = /^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1];
  return { peak, now, ...(anonymous === undefined ? {} : { anonymous: 1024 * Number(anonymous) }) };
}

export interface MeasureOptions {
  readonly runs: number;
  readonly flops?: number;
  /** Like pieces that a run does; times and `flops` are those of one. Default 1. */
  readonly pieces?: number;
}

/** Runs `work` once to warm up, then `runs` times. */
export async function measure(
  name: string,
  sizes: Readonly<Record<string, number | string>>,
  { runs, flops, pieces = 1 }: MeasureOptions,
  work: () => Promise<unknown>,
): Promise<Measurement> {
  await work();
  const times: number[] = [];
  for (let run = 0; run < runs; run++) {
    const started = performance.now();
    await work();
    times.push((performance.now() - started) / pieces);
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
    machine: machine(),
  };
}
