/** @file Random numbers of a step as a function of the step, so that a resumed run draws what the other would have. */
import { createHash } from "node:crypto";
import { CounterRng } from "../tensor/counter-rng.ts";

/** A generator of its own for every (seed, purpose, place), e.g. `randomFor(42, "batch", step)`. */
export function randomFor(seed: number, purpose: string, ...place: readonly number[]): CounterRng {
  const text = [seed, purpose, ...place].join(":");
  return new CounterRng(createHash("sha256").update(text).digest().readBigUInt64LE(0));
}
