/** @file How a model is opened, and how its loading is followed. */
import { InputError } from "../errors.ts";
import type { WorkWatch } from "./model-work.ts";
import { describe } from "./settings.ts";

/** More threads than any machine has processors are a mistake. */
export const MAX_THREADS = 1024;

/** Where loading stands. */
export type LoadProgress =
  /** Configuration, headers of the weights, tokenizer and settings are being read. */
  | { readonly phase: "reading" }
  /** Weights of one part of the model are being loaded: `done` of `of` bytes as they are bound. */
  | { readonly phase: "loading weights"; readonly done: number; readonly of: number }
  /** Weights that must be repacked go through a file of `bytes` at most, which is removed when they are loaded. */
  | { readonly phase: "taking scratch space"; readonly folder: string; readonly bytes: number };

export interface OpenOptions {
  /**
   * Threads of one operator, 1 to 1024. Default: the machine's processors. From four on, the
   * decoder may round otherwise: single pixel values by 1 of 255.
   */
  readonly threads?: number;
  /**
   * Refuses weights and drawings that would take more memory than there is. The estimate behind it is good to a tenth;
   * false is for machines on which it is not. Default true.
   */
  readonly checkMemory?: boolean;
  /** Most pictures that are drawn at once, from 1; more wait, first come, first served. Default: no bound. */
  readonly maxPictures?: number;
  /**
   * Bytes of keys and values that pictures drawn at once may take; more wait. A picture that is alone is drawn whatever it
   * takes. `by memory`: what the estimate leaves of the memory that is free when the model is opened. Default: no bound.
   */
  readonly cacheBytes?: number | "by memory";
  /**
   * Bytes of keys and values of prompts that are kept for when they come again. `by memory`: for some tens of prompts of
   * this model's shape, a quarter of what is free at most. Default 32 MiB.
   */
  readonly promptBytes?: number | "by memory";
  /**
   * Adapters that pictures may be drawn with: folders in PEFT's layout, by the names that drawings use.
   * They are read whole. Default: none.
   */
  readonly adapters?: Readonly<Record<string, string>>;
  /** Cancels opening. An open model is not affected: what it does later has signals of its own. */
  readonly signal?: AbortSignal;
  /**
   * Told how loading goes: while opening, and afterwards whenever weights are loaded, which happens when a part of the
   * model is first needed.
   */
  readonly onProgress?: (progress: LoadProgress) => void;
  /** Told what the model has done, as it is done. */
  readonly onWork?: WorkWatch;
}

/** Options that are whole numbers, and the least that each may be. */
const COUNTS = [
  ["maxPictures", 1],
  ["cacheBytes", 0],
  ["promptBytes", 0],
] as const;

/** @throws InputError naming the option that does not fit, and what it may be. */
export function checkOpenOptions(options: OpenOptions): void {
  const { threads } = options;
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1 && threads <= MAX_THREADS)) {
    throw new InputError(`${describe(threads)} is not a number of threads`, {
      where: "threads",
      remedy: `use 1 to ${MAX_THREADS}`,
    });
  }
  for (const [name, least] of COUNTS) {
    const value = options[name];
    if (value === undefined || (name !== "maxPictures" && value === "by memory")) continue;
    if (Number.isSafeInteger(value) && Number(value) >= least) continue;
    throw new InputError(`${describe(value)} is not a whole number from ${least}`, { where: name });
  }
}
