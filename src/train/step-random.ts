/** @file Random numbers of a step as a function of the step, so that a resumed run draws what the other would have. */
import { createHash } from "node:crypto";
import { CounterRng } from "../tensor/counter-rng.ts";

/** A generator of its own for every (seed, purpose, place), e.g. `randomFor(42, "batch", step, batch)`. */
export function randomFor(seed: number, purpose: string, ...place: readonly number[]): CounterRng {
  const text = [seed, purpose, ...place].join(":");
  return new CounterRng(createHash("sha256").update(text).digest().readBigUInt64LE(0));
}

/** The order in which `length` items are visited over and over: a new shuffle every epoch, computed when needed. */
export class EpochOrder {
  readonly #seed: number;
  readonly #length: number;
  #epoch = -1;
  #order: readonly number[] = [];

  constructor(seed: number, length: number) {
    this.#seed = seed;
    this.#length = length;
  }

  /** Index of the item that is visited as number `visit` (from 0). */
  itemAt(visit: number): number {
    const epoch = Math.floor(visit / this.#length);
    if (epoch !== this.#epoch) {
      const items = Array.from({ length: this.#length }, (_, index) => index);
      this.#order = randomFor(this.#seed, "order", epoch).shuffle(items);
      this.#epoch = epoch;
    }
    return this.#order[visit % this.#length]!;
  }
}
