/** @file The prompts of reward learning: where they are read from, and which ones an update draws. */
import { readPromptLines } from "../data/prompt-lines.ts";
import { randomFor } from "../step-random.ts";

/**
 * Prompts as they are given, or the lines of a file.
 * @throws as {@link readPromptLines} does
 */
export async function readPromptList(prompts: string | readonly string[]): Promise<readonly string[]> {
  return typeof prompts === "string" ? readPromptLines(prompts) : prompts;
}

/**
 * Which prompts an update takes: all of them in a random order, then all in another one. Depends on seed and step alone.
 * @returns `count` indices below `length`
 */
export function promptsOfStep(length: number, count: number, seed: number, step: number): number[] {
  const orders = new Map<number, readonly number[]>();
  return Array.from({ length: count }, (_, place) => {
    const turn = step * count + place;
    const epoch = Math.floor(turn / length);
    const order = orders.get(epoch) ?? shuffled(length, seed, epoch);
    orders.set(epoch, order);
    return order[turn % length] as number;
  });
}

function shuffled(length: number, seed: number, epoch: number): readonly number[] {
  return randomFor(seed, "prompts", epoch).shuffle(Array.from({ length }, (_, index) => index));
}
