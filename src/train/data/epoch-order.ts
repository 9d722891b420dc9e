/** @file The order in which the samples of many tars are visited (docs/nextstep-spec.md 5, "Epoch order"). */

import { ConfigError, DataFormatError } from "../../errors.ts";
import { randomFor } from "../step-random.ts";

/** Samples that are shuffled together: enough to mix, few enough that the tars open at a time stay few. */
export const SHUFFLE_WINDOW = 50_000;

/**
 * Every epoch the tars are put in a new order, and their samples are shuffled within windows of that row; the last
 * window takes the remainder. The sample at any visit is a function of (seed, visit): a resumed run needs no state
 * but the number of visits so far.
 */
export class ShardedEpochOrder {
  /** Samples of an epoch. */
  readonly length: number;
  readonly #seed: number;
  readonly #window: number;
  /** First sample of each tar, and `length` at the end. */
  readonly #starts: readonly number[];
  #epoch = -1;
  #tars: readonly number[] = [];
  /** Place in the epoch's row at which each tar of `#tars` begins. */
  #rowStarts: readonly number[] = [];
  #shuffledWindow = -1;
  #shuffled: readonly number[] = [];

  /**
   * @param tarLengths number of samples of each tar, in the order of sample indices.
   * @throws DataFormatError when there are no samples, ConfigError for a window below 1.
   */
  constructor(seed: number, tarLengths: readonly number[], window = SHUFFLE_WINDOW) {
    this.#starts = startsOf(tarLengths);
    this.length = this.#starts.at(-1)!;
    if (this.length === 0) throw new DataFormatError("holds no samples", { where: "data" });
    if (!Number.isInteger(window) || window < 1) throw new ConfigError(`a shuffle window of ${window}`);
    this.#seed = seed;
    this.#window = Math.min(window, this.length);
  }

  /** Index of the sample that is visited as number `visit`, counted from 0 over all epochs. */
  sampleAt(visit: number): number {
    const epoch = Math.floor(visit / this.length);
    const place = visit % this.length;
    if (epoch !== this.#epoch) this.#beginEpoch(epoch);
    const lastWindow = Math.floor(this.length / this.#window) - 1;
    const window = Math.min(Math.floor(place / this.#window), lastWindow);
    const first = window * this.#window;
    if (window !== this.#shuffledWindow) {
      const size = window === lastWindow ? this.length - first : this.#window;
      const places = Array.from({ length: size }, (_, index) => first + index);
      this.#shuffled = randomFor(this.#seed, "samples", epoch, window).shuffle(places);
      this.#shuffledWindow = window;
    }
    return this.#sampleInRow(this.#shuffled[place - first]!);
  }

  #beginEpoch(epoch: number): void {
    const tars = Array.from({ length: this.#starts.length - 1 }, (_, index) => index);
    this.#tars = randomFor(this.#seed, "tars", epoch).shuffle(tars);
    this.#rowStarts = startsOf(this.#tars.map((tar) => this.#starts[tar + 1]! - this.#starts[tar]!));
    this.#epoch = epoch;
    this.#shuffledWindow = -1;
  }

  #sampleInRow(place: number): number {
    const slot = lastAtMost(this.#rowStarts, place);
    return this.#starts[this.#tars[slot]!]! + place - this.#rowStarts[slot]!;
  }
}

/** Running sums, from 0 to the total. */
export function startsOf(lengths: readonly number[]): number[] {
  const starts = [0];
  for (const length of lengths) starts.push(starts.at(-1)! + length);
  return starts;
}

/** Index of the last element that is not above `value`, in an ascending list whose first one is not. */
export function lastAtMost(ascending: readonly number[], value: number): number {
  let low = 0;
  let high = ascending.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (ascending[middle]! <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}
