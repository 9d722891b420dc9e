/** @file What a torture scenario is given, and what it hands back. */
import type { CounterRng } from "../../src/tensor/counter-rng.ts";
import type { Workshop } from "./workshop.ts";

export interface Scenario {
  readonly name: string;
  /** One line for `--help`. */
  readonly about: string;
  /** Faults that it makes, given `--count`. */
  trials(count: number): number;
  run(trial: Trials): Promise<void>;
}

export interface ScenarioReport {
  readonly name: string;
  readonly trials: number;
  /** What came of the trials, by kind. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** Means that were used, where there is a choice. */
  readonly notes: readonly string[];
  /** What should not have happened; empty when all is well. */
  readonly lost: readonly string[];
  readonly seconds: number;
}

/** The trials of one scenario: their choices, their folder, and what came of them. */
export class Trials {
  readonly rng: CounterRng;
  /** Number of trials to make. */
  readonly count: number;
  readonly workshop: Workshop;
  /** A folder of its own; removed afterwards unless something was lost. */
  readonly folder: string;
  readonly #outcomes = new Map<string, number>();
  readonly #notes = new Set<string>();
  readonly #lost: string[] = [];
  readonly #onTrial: () => void;
  #done = 0;

  constructor(parts: {
    readonly rng: CounterRng;
    readonly count: number;
    readonly workshop: Workshop;
    readonly folder: string;
    readonly onTrial: () => void;
  }) {
    this.rng = parts.rng;
    this.count = parts.count;
    this.workshop = parts.workshop;
    this.folder = parts.folder;
    this.#onTrial = parts.onTrial;
  }

  /** Counts a trial that went as it should, or what came of several. */
  outcome(kind: string, count = 1): void {
    this.#outcomes.set(kind, (this.#outcomes.get(kind) ?? 0) + count);
  }

  note(text: string): void {
    this.#notes.add(text);
  }

  lost(text: string): void {
    this.#lost.push(`trial ${this.#done + 1}: ${text}`);
  }

  /** One of the trials is over. */
  next(): void {
    this.#done++;
    this.#onTrial();
  }

  /** One of a list. */
  pick<T>(list: readonly T[]): T {
    return list[this.rng.below(list.length)]!;
  }

  report(name: string, seconds: number): ScenarioReport {
    return {
      name,
      trials: this.#done,
      outcomes: Object.fromEntries([...this.#outcomes].sort(([a], [b]) => a.localeCompare(b))),
      notes: [...this.#notes],
      lost: this.#lost,
      seconds,
    };
  }
}
