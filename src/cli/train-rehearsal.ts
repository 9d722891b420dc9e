/** @file What a dry run tells, as lines for people. */
import { printable } from "../formats/quoted.ts";
import type { Rehearsal } from "../train/loop/rehearsal.ts";
import { formatDuration } from "./progress-stream.ts";

/** `1.23 GB`, `45.6 MB` */
function formatBytes(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(2)} GB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

function count(value: number): string {
  return Math.round(value).toLocaleString("en");
}

/** Lines, each with what it is about in front. */
export function describeRehearsal(found: Rehearsal): string {
  const { perStep, memory, time } = found;
  const sizes = Object.entries(perStep).map(([name, value]) => `${count(value)} ${name}`);
  const lines: [string, string][] = [
    ["parameters", `${(found.parameters / 1e6).toFixed(2)} M`],
    ["steps", `${count(found.steps)}${found.done === 0 ? "" : `, of which ${count(found.done)} are done`}`],
    [
      "data",
      `${count(found.samples)} samples, ${count(found.pictures)} pictures, each seen ${found.epochs.toFixed(1)} times`,
    ],
    ["a step", sizes.join(", ")],
    [
      "memory",
      `about ${formatBytes(memory.peak)} at most; weights, gradients and moments ${formatBytes(memory.state)}`,
    ],
    [
      "time",
      `about ${formatDuration(time.totalSeconds)}: ${time.secondsPerStep.toPrecision(3)} s a step (mean of ${time.measuredSteps}), ` +
        `${formatDuration(time.preparationSeconds)} to prepare pictures; validation, samples and checkpoints come on top`,
    ],
    ...found.faulty.map((message): [string, string] => ["left out", printable(message)]),
  ];
  return lines.map(([what, text]) => `${what.padEnd(12)}${text}\n`).join("");
}
