/** @file The prompts of reward learning: where they are read from, and which ones an update draws. */
import { DataFormatError } from "../../errors.ts";
import { decodeText } from "../../formats/text.ts";
import { readSmallFile } from "../data/small-file.ts";
import { randomFor } from "../step-random.ts";

/** Some hundred thousand prompts; anything larger is another file. */
const MAX_BYTES = 64 * 1024 * 1024;

/**
 * Prompts as they are given, or the lines of a text file that are not empty.
 * @throws InputError when the file cannot be opened; DataFormatError when it is too large, no text, or without a prompt.
 */
export async function readPromptList(prompts: string | readonly string[]): Promise<readonly string[]> {
  if (typeof prompts !== "string") return prompts;
  const text = decodeText(await readSmallFile(prompts, MAX_BYTES), prompts);
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const found = lines.filter((line) => line !== "");
  if (found.length > 0) return found;
  throw new DataFormatError("holds no prompts", { where: prompts, remedy: "write one on each line" });
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
