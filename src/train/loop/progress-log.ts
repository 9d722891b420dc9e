/** @file A run's events as JSON lines in a file. */
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import { replaceFile, writeAll } from "../../files/replacement-file.ts";
import { writeFailure } from "../../files/write-failure.ts";
import type { TrainEvent } from "./train-events.ts";

/** A file of one JSON object a line: the event with the time it was written. */
export class ProgressLog {
  readonly #path: string;
  readonly #handle: FileHandle;

  private constructor(path: string, handle: FileHandle) {
    this.#path = path;
    this.#handle = handle;
  }

  /**
   * Opens a log for appending. Lines of steps after `step`, written by a run that was killed before its next
   * checkpoint, are dropped first: those steps are taken again. All are before the first step, whose figures are, too.
   */
  static async open(path: string, step: number): Promise<ProgressLog> {
    await mkdir(dirname(path), { recursive: true });
    await keepUpTo(path, step);
    return new ProgressLog(path, await open(path, "a"));
  }

  /** @throws InputError naming the log when it cannot be written. */
  async write(event: TrainEvent): Promise<void> {
    const line = `${JSON.stringify({ time: new Date().toISOString(), ...event })}\n`;
    try {
      await writeAll(this.#handle, new TextEncoder().encode(line));
    } catch (cause) {
      throw writeFailure(cause, this.#path);
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

async function keepUpTo(path: string, step: number): Promise<void> {
  const source = await open(path, "r").catch(() => undefined);
  if (source === undefined) return;
  await source.close();
  await replaceFile(path, async (file) => {
    for await (const line of createInterface({
      input: createReadStream(path),
      crlfDelay: Number.POSITIVE_INFINITY,
    })) {
      if (step > 0 && stepOf(line) <= step) await file.write(new TextEncoder().encode(`${line}\n`));
    }
  });
}

/** Step of a line; a torn last line belongs to no step. */
function stepOf(line: string): number {
  try {
    const event: unknown = JSON.parse(line);
    const step = typeof event === "object" && event !== null && "step" in event ? event.step : undefined;
    return typeof step === "number" ? step : Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
