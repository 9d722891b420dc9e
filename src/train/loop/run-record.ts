/** @file What a run leaves to be read by people and their tools: log, event files, curves, copies of its settings. */
import { join } from "node:path";
import { replaceText } from "../../files/replacement-file.ts";
import type { JsonValue } from "../plain-json.ts";
import { BoardLog } from "./board-log.ts";
import { copyConfig } from "./config-copies.ts";
import { curvePage } from "./curve-page.ts";
import { readCurves } from "./curve-points.ts";
import { ProgressLog } from "./progress-log.ts";
import type { TrainEvent } from "./train-events.ts";

export interface RunRecordOptions {
  /** Updates that a checkpoint holds: what was recorded of later ones is dropped. */
  readonly step: number;
  /** All settings, as they are copied. */
  readonly settings: JsonValue;
  /** Whether event files are written. */
  readonly tensorBoard: boolean;
}

export class RunRecord implements AsyncDisposable {
  readonly #folder: string;
  readonly #log: ProgressLog;
  readonly #board: BoardLog | undefined;

  private constructor(folder: string, log: ProgressLog, board: BoardLog | undefined) {
    this.#folder = folder;
    this.#log = log;
    this.#board = board;
  }

  /** @param folder the run folder. */
  static async open(folder: string, { step, settings, tensorBoard }: RunRecordOptions): Promise<RunRecord> {
    await copyConfig(join(folder, "configs"), step, settings);
    const log = await ProgressLog.open(join(folder, "log.jsonl"), step);
    const board = tensorBoard ? await BoardLog.open(join(folder, "tensorboard"), step) : undefined;
    return new RunRecord(folder, log, board);
  }

  async write(event: TrainEvent): Promise<void> {
    await this.#log.write(event);
    await this.#board?.write(event);
  }

  /** Draws `curves.html` anew from the log. */
  async drawCurves(): Promise<void> {
    const curves = await readCurves(join(this.#folder, "log.jsonl"));
    if (curves.length === 0) return;
    await replaceText(join(this.#folder, "curves.html"), curvePage(`Training in ${this.#folder}`, curves));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#log.close();
    await this.#board?.close();
  }
}
