/** @file Runs mutated inputs through one target and counts what happened. Every input follows from its number alone. */

import { getHeapStatistics } from "node:v8";
import { NextStepError } from "../../src/errors.ts";
import { CounterRng } from "../../src/tensor/counter-rng.ts";
import { mutate } from "./mutate.ts";
import type { FuzzTarget } from "./target.ts";

/** Processor time that an input may take; all are small. */
const MAX_MS = 2000;
/**
 * Memory an input may take beyond a multiple of its size: what fixed tables, the allowance for inflated texts
 * (4 MiB, held as bytes and as UTF-16) and the measuring itself come to.
 */
const ALLOWED_BYTES = 24 * 1024 * 1024;
const ALLOWED_FACTOR = 32;
const MAX_FAILURES = 10;

export interface FuzzReport {
  readonly format: string;
  readonly inputs: number;
  /** Inputs that were still valid. */
  readonly accepted: number;
  /** Inputs refused with an error of this package. */
  readonly refused: number;
  readonly seconds: number;
  /** Most processor time for one input. */
  readonly slowestMs: number;
  /** Largest growth of heap and buffers over one input. */
  readonly mostBytes: number;
  readonly failures: readonly string[];
}

export interface FuzzRange {
  readonly seed: number;
  readonly first: number;
  readonly count: number;
}

/** Builds input number `index`. */
export function fuzzInput(target: FuzzTarget, seed: number, index: number): Uint8Array {
  // No input draws 2^20 words, so no two share any.
  const rng = new CounterRng(seed, index * 2 ** 20);
  const origin = target.seeds[rng.below(target.seeds.length)]!;
  const mutated = mutate(origin, { rng, corpus: target.seeds, words: target.words });
  return target.repair !== undefined && rng.below(3) > 0 ? target.repair(mutated) : mutated;
}

/** Runs a range of inputs; `onProgress` hears about every 500. Stops early after ten failures. */
export async function fuzz(
  target: FuzzTarget,
  range: FuzzRange,
  onProgress: (done: number) => void = () => {},
): Promise<FuzzReport> {
  for (const seed of target.seeds) await target.run(new Uint8Array(seed));
  const started = performance.now();
  const failures: string[] = [];
  let accepted = 0;
  let slowestMs = 0;
  let mostBytes = 0;
  let inputs = 0;
  for (; inputs < range.count && failures.length < MAX_FAILURES; inputs++) {
    const index = range.first + inputs;
    const bytes = fuzzInput(target, range.seed, index);
    const before = memory();
    const start = processorMs();
    const failure = await attempt(target, bytes);
    const took = processorMs() - start;
    const grown = memory() - before;
    slowestMs = Math.max(slowestMs, took);
    mostBytes = Math.max(mostBytes, grown);
    if (failure === "accepted") accepted++;
    else if (failure !== "refused") failures.push(`input ${index}: ${failure}`);
    if (took > MAX_MS) failures.push(`input ${index}: took ${took.toFixed(0)} ms`);
    if (grown > ALLOWED_BYTES + ALLOWED_FACTOR * bytes.length) {
      failures.push(`input ${index}: took ${grown} bytes of memory for ${bytes.length}`);
    }
    if (inputs % 500 === 499) onProgress(inputs + 1);
  }
  return {
    format: target.name,
    inputs,
    accepted,
    refused: inputs - accepted - failures.length,
    seconds: (performance.now() - started) / 1000,
    slowestMs,
    mostBytes,
    failures,
  };
}

/** "accepted", "refused", or what went wrong. */
async function attempt(target: FuzzTarget, bytes: Uint8Array): Promise<string> {
  try {
    await target.run(bytes);
    return "accepted";
  } catch (error) {
    if (error instanceof NextStepError && isPrintable(error.message)) return "refused";
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
}

/** One line, without control characters that a hostile name could send to the terminal. */
function isPrintable(message: string): boolean {
  for (let i = 0; i < message.length; i++) {
    const code = message.charCodeAt(i);
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return false;
  }
  return true;
}

function memory(): number {
  const { used_heap_size: heap, external_memory: buffers } = getHeapStatistics();
  return heap + buffers;
}

/** Processor time rather than the clock's: on a busy machine a process may stand still for seconds. */
function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
