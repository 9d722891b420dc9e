/** @file A run's events as JSON lines in a file, and as a live line for people. */
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import { replaceFile } from "../../files/replacement-file.ts";
import type { TrainEvent } from "./train-events.ts";

/** A file of one JSON object a line: the event with the time it was written. */
export class ProgressLog {
  readonly #handle: FileHandle;

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /**
   * Opens a log for appending. Lines of steps after `step`, written by a run that was killed before its next
   * checkpoint, are dropped first: those steps are taken again.
   */
  static async open(path: string, step: number): Promise<ProgressLog> {
    await mkdir(dirname(path), { recursive: true });
    await keepUpTo(path, step);
    return new ProgressLog(await open(path, "a"));
  }

  async write(event: TrainEvent): Promise<void> {
    await this.#handle.write(`${JSON.stringify({ time: new Date().toISOString(), ...event })}\n`);
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
      if (stepOf(line) <= step) await file.write(new TextEncoder().encode(`${line}\n`));
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

/** `1h05m`, `3m20s`, `12s`. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "?";
  const whole = Math.round(seconds);
  const pad = (n: number): string => String(n).padStart(2, "0");
  if (whole >= 3600) return `${Math.floor(whole / 3600)}h${pad(Math.floor((whole % 3600) / 60))}m`;
  return whole >= 60 ? `${Math.floor(whole / 60)}m${pad(whole % 60)}s` : `${whole}s`;
}

function formatMetrics(metrics: Readonly<Record<string, number>>): string {
  return Object.entries(metrics)
    .map(([name, value]) => `${name} ${value.toPrecision(4)}`)
    .join("  ");
}

/** An event in one line, e.g. `step 120/5000  loss 0.1234  12.3 images/s  ETA 12m03s`. */
export function describeEvent(event: TrainEvent): string {
  switch (event.type) {
    case "start":
      return `training ${(event.parameters / 1e6).toFixed(2)} M parameters, step ${event.step} of ${event.steps}`;
    case "step": {
      const metrics = formatMetrics(event.metrics);
      const parts = [
        `step ${event.step}/${event.steps}`,
        `loss ${event.loss.toFixed(4)}`,
        ...(metrics === "" ? [] : [metrics]),
        `${event.imagesPerSecond.toFixed(1)} images/s`,
        `ETA ${formatDuration(event.etaSeconds)}`,
      ];
      return parts.join("  ");
    }
    case "validation":
      return `validation at step ${event.step}: ${formatMetrics(event.metrics)}`;
    case "samples":
    case "checkpoint":
      return `${event.type} ${event.path}`;
    case "end":
      return `done after ${event.step} steps: ${event.model}`;
  }
}

/** Where progress is shown: a terminal, or a file or pipe that takes whole lines only. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** A line is rewritten this often on a terminal at most, and added this often elsewhere. */
const TERMINAL_PERIOD_MS = 200;
const PLAIN_PERIOD_MS = 10_000;

/** Shows events on `stream`: steps in one line that is rewritten, everything else in lines that stay. */
export function progressPrinter(stream: ProgressStream): (event: TrainEvent) => void {
  const isLive = stream.isTTY === true;
  const erase = isLive ? "\r\u001b[2K" : "";
  let last = Number.NEGATIVE_INFINITY;
  return (event) => {
    if (event.type !== "step") {
      stream.write(`${erase}${describeEvent(event)}\n`);
      return;
    }
    const now = performance.now();
    if (now - last < (isLive ? TERMINAL_PERIOD_MS : PLAIN_PERIOD_MS) && event.step !== event.steps) return;
    last = now;
    stream.write(isLive ? erase + describeEvent(event) : `${describeEvent(event)}\n`);
  };
}
