/** @file `nextstep train tokenizer|model CONFIG`: runs a stage, showing loss, rate and time left. */
import type { TrainEvent } from "../train/train-events.ts";
import { formatDuration, ProgressLine } from "./progress-line.ts";
import type { Terminal } from "./terminal.ts";

export interface TrainCommandOptions {
  /** Print events as JSON lines on standard output instead of text on standard error. */
  readonly json: boolean;
}

function figures(metrics: Readonly<Record<string, number>>): string {
  return Object.entries(metrics)
    .map(([name, value]) => `${name} ${value.toPrecision(4)}`)
    .join(", ");
}

/** One line for a live display; `undefined` for events that deserve a line that stays. */
function liveText(event: TrainEvent): string | undefined {
  if (event.type !== "step") return undefined;
  const percent = Math.floor((100 * event.step) / event.steps);
  return (
    `step ${event.step}/${event.steps} (${percent} %)  loss ${event.loss.toFixed(4)}  ` +
    `${event.imagesPerSecond.toFixed(1)} images/s  ${formatDuration(event.etaSeconds)} left`
  );
}

function lastingText(event: TrainEvent): string | undefined {
  switch (event.type) {
    case "start": {
      const from = event.step === 0 ? "" : `, continued from step ${event.step}`;
      return `${event.steps} steps, ${(event.parameters / 1e6).toFixed(2)} M parameters${from}`;
    }
    case "validation":
      return `step ${event.step}: ${figures(event.metrics)}`;
    case "samples":
      return `step ${event.step}: samples in ${event.path}`;
    case "checkpoint":
      return undefined;
    case "end":
      return `finished after ${event.step} steps: ${event.model}`;
    case "step":
      return undefined;
  }
}

/** Shows training events on a terminal, or as JSON lines. */
export function trainEventPrinter(terminal: Terminal, options: TrainCommandOptions): (event: TrainEvent) => void {
  const line = new ProgressLine(terminal.err);
  return (event) => {
    if (options.json) {
      terminal.out.write(`${JSON.stringify(event)}\n`);
      return;
    }
    const live = liveText(event);
    if (live !== undefined) line.show(live);
    const lasting = lastingText(event);
    if (lasting !== undefined) {
      line.clear();
      terminal.err.write(`${lasting}\n`);
    }
    if (event.type === "end") line.clear();
  };
}
