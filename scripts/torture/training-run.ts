/** @file A training run that is interrupted again and again, and what must hold whenever it is. */
import { readdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type Ended, lastLine, RunningCommand } from "./command.ts";
import { leftBehind } from "./folder-digest.ts";
import type { Trials } from "./scenario.ts";
import type { StageName } from "./tiny-training.ts";
import type { Reference } from "./workshop.ts";

interface Event {
  readonly type: string;
  readonly step: number;
}

/** One process of a run. */
export class TrainingProcess {
  readonly command: RunningCommand;
  /** Step that it began with. */
  started: number | undefined;
  /** Newest step that it reported. */
  reached = 0;
  /** Newest checkpoint that it reported. */
  saved = 0;
  #isOver = false;
  readonly #waiting: { readonly wants: (event: Event) => boolean; readonly resolve: () => void }[] = [];

  constructor(args: readonly string[], prefix: readonly string[] = []) {
    this.command = new RunningCommand([...args, "--json"], { prefix, onLine: (line) => this.#hear(line) });
    void this.command.ended
      .catch(() => {})
      .then(() => {
        this.#isOver = true;
        for (const { resolve } of this.#waiting) resolve();
      });
  }

  /** Until an event comes or the process ends. */
  async until(wants: (event: Event) => boolean): Promise<void> {
    if (this.#isOver) return;
    await new Promise<void>((resolve) => this.#waiting.push({ wants, resolve }));
  }

  #hear(line: string): void {
    let event: Event;
    try {
      event = JSON.parse(line) as Event;
    } catch {
      // Torn by the kill.
      return;
    }
    if (event.type === "start") this.started = event.step;
    if (event.type === "step") this.reached = event.step;
    if (event.type === "checkpoint") this.saved = event.step;
    for (const { wants, resolve } of this.#waiting) if (wants(event)) resolve();
  }
}

/** A run folder under torture. */
export class TrainingRun {
  readonly stage: StageName;
  readonly output: string;
  readonly config: string;
  readonly #trials: Trials;
  readonly #reference: Reference;
  /** Steps that no later process may begin before. */
  #floor = 0;

  private constructor(
    trials: Trials,
    parts: { stage: StageName; output: string; config: string; reference: Reference },
  ) {
    this.#trials = trials;
    this.#reference = parts.reference;
    this.stage = parts.stage;
    this.output = parts.output;
    this.config = parts.config;
  }

  static async create(
    trials: Trials,
    stage: StageName,
    output: string,
    change: Parameters<Trials["workshop"]["writeConfig"]>[2] = {},
  ): Promise<TrainingRun> {
    const reference = await trials.workshop.reference(stage);
    const config = await trials.workshop.writeConfig(stage, output, change);
    return new TrainingRun(trials, { stage, output, config, reference });
  }

  /** How long an undisturbed run takes. */
  get milliseconds(): number {
    return this.#reference.milliseconds;
  }

  start(prefix: readonly string[] = []): TrainingProcess {
    return new TrainingProcess(["train", this.stage, this.config], prefix);
  }

  /** Checks where a process began, and remembers what it saved. */
  learn({ started, saved }: TrainingProcess, held = saved): void {
    if (started !== undefined && started < this.#floor) {
      this.#trials.lost(`${this.stage}: begins at step ${started}, though ${this.#floor} were saved`);
    }
    this.#floor = Math.max(this.#floor, held);
  }

  /** Goes on undisturbed to the end, and checks that it is the end of an undisturbed run. */
  async finish(): Promise<void> {
    const process = this.start();
    const ended = await process.command.ended;
    this.learn(process);
    await this.checkFinished(ended);
  }

  async checkFinished({ code, err }: Ended): Promise<void> {
    if (code !== 0) {
      this.#trials.lost(`${this.stage}: cannot go on: ${lastLine(err)}`);
      return;
    }
    const result = await this.#trials.workshop.resultOf(this.output);
    if (result.model !== this.#reference.model)
      this.#trials.lost(`${this.stage}: ends with another model in ${this.output}`);
    if (result.losses !== this.#reference.losses)
      this.#trials.lost(`${this.stage}: the log holds other losses`);
    const left = await leftBehind(this.output);
    if (left.length > 0) this.#trials.lost(`${this.stage}: left behind ${left.join(", ")}`);
  }

  /** From the first step again. */
  async restart(): Promise<void> {
    await rm(this.output, { recursive: true, force: true });
    this.#floor = 0;
  }

  /** Where in its work a process that was just killed stood, as its folder shows. */
  whereKilled({ started, reached }: TrainingProcess): string {
    const names = [...namesIn(join(this.output, "checkpoints")), ...namesIn(this.output)];
    if (names.some((name) => /\.(?:replaced|removed)$/.test(name))) return "between two renames";
    if (names.includes("model.partial")) return "while the model was written";
    if (names.some((name) => /^checkpoint-\d+\.partial$/.test(name))) return "inside a save";
    if (started === undefined) return "before the first event";
    return reached === 0 ? "before the first step" : "between steps";
  }
}

export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
