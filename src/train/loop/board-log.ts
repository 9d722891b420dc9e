/** @file A run's figures as TensorBoard event files, a file for each start. */
import { type FileHandle, mkdir, open } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { writeAll } from "../../files/replacement-file.ts";
import { writeFailure } from "../../files/write-failure.ts";
import { restartRecord, scalarsRecord, versionRecord } from "./event-file.ts";
import type { TrainEvent } from "./train-events.ts";

/** Figures of an event by tag; none for those without. */
export function scalarsOf(event: TrainEvent): Readonly<Record<string, number>> {
  if (event.type === "step") {
    const { loss, rate, gradientNorm, imagesPerSecond, metrics } = event;
    return {
      "train/loss": loss,
      ...prefixed("train", metrics),
      "train/rate": rate,
      "train/gradient_norm": gradientNorm,
      "train/images_per_second": imagesPerSecond,
    };
  }
  return event.type === "validation" ? prefixed("validation", event.metrics) : {};
}

function prefixed(prefix: string, metrics: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [`${prefix}/${name}`, value]));
}

export class BoardLog {
  readonly #handle: FileHandle;
  readonly #path: string;

  private constructor(handle: FileHandle, path: string) {
    this.#handle = handle;
    this.#path = path;
  }

  /**
   * Begins a file in `folder`. Files of earlier starts stay; readers forget what they say of steps after `step`, which
   * are taken again.
   */
  static async open(folder: string, step: number): Promise<BoardLog> {
    const now = Date.now();
    const host = hostname().replace(/[^\w.-]/g, "_");
    const seconds = String(Math.floor(now / 1000)).padStart(10, "0");
    // Readers take files in the order of their names; two starts may fall into one second.
    const path = join(
      folder,
      `events.out.tfevents.${seconds}.${String(now % 1000).padStart(3, "0")}.${host}`,
    );
    await mkdir(folder, { recursive: true });
    const board = new BoardLog(await open(path, "a"), path);
    await board.#append(versionRecord(now / 1000));
    if (step > 0) await board.#append(restartRecord(now / 1000, step + 1));
    return board;
  }

  async write(event: TrainEvent): Promise<void> {
    const scalars = scalarsOf(event);
    if (Object.keys(scalars).length === 0) return;
    await this.#append(scalarsRecord(Date.now() / 1000, event.step, scalars));
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  async #append(record: Uint8Array): Promise<void> {
    try {
      await writeAll(this.#handle, record);
    } catch (error) {
      throw writeFailure(error, this.#path);
    }
  }
}
