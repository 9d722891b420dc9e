/** @file The events of a training run as lines for people. */

import type { TrainEvent } from "../train/loop/train-events.ts";
import { PLAIN_PERIOD_MS } from "./progress-line.ts";
import { ERASE_LINE, fitted, formatDuration, rewritesLines } from "./progress-stream.ts";
import type { Terminal } from "./terminal.ts";

function formatMetrics(metrics: Readonly<Record<string, number>>): string {
  return Object.entries(metrics)
    .map(([name, value]) => `${name} ${value.toPrecision(4)}`)
    .join("  ");
}

/** An event in one line, e.g. `step 120/5000  loss 0.1234  12.3 images/s  ETA 12m03s`. */
export function describeEvent(event: TrainEvent): string {
  switch (event.type) {
    case "note":
      return `note: ${event.text}`;
    case "start":
      return `training ${(event.parameters / 1e6).toFixed(2)} M parameters, step ${event.step} of ${event.steps}`;
    case "step": {
      const metrics = formatMetrics(event.metrics);
      const parts = [
        `step ${event.step}/${event.steps}`,
        `loss ${event.loss.toFixed(4)}`,
        ...(metrics === "" ? [] : [metrics]),
        `rate ${event.rate.toPrecision(3)}`,
        `${event.imagesPerSecond.toFixed(1)} images/s`,
        `ETA ${formatDuration(event.etaSeconds)}`,
      ];
      return parts.join("  ");
    }
    case "validation":
      return `validation at step ${event.step}: ${formatMetrics(event.metrics)}`;
    case "faulty":
      return `left out ${event.message} (${event.faulty} of ${event.samples} samples so far)`;
    case "samples":
    case "checkpoint":
      return `${event.type} ${event.path}`;
    case "best":
      return `best so far at step ${event.step}, ${formatMetrics({ [event.metric]: event.value })}: ${event.path}`;
    case "end":
      return `done after ${event.step} steps: ${event.model}`;
  }
}

/** A line is rewritten this often on a terminal at most, and added this often elsewhere. */
const TERMINAL_PERIOD_MS = 200;

/** Shows events on `stream`: steps in one line that is rewritten, everything else in lines that stay. */
export function progressPrinter({
  err: stream,
  environment,
}: Pick<Terminal, "err" | "environment">): (event: TrainEvent) => void {
  const isLive = rewritesLines(stream, environment);
  const erase = isLive ? ERASE_LINE : "";
  let last = Number.NEGATIVE_INFINITY;
  return (event) => {
    if (event.type !== "step") {
      stream.write(`${erase}${describeEvent(event)}\n`);
      return;
    }
    const now = performance.now();
    if (now - last < (isLive ? TERMINAL_PERIOD_MS : PLAIN_PERIOD_MS) && event.step !== event.steps) return;
    last = now;
    stream.write(isLive ? erase + fitted(describeEvent(event), stream) : `${describeEvent(event)}\n`);
  };
}
