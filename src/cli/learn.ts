/** @file Runs `nextstep learn`. */
import { printable } from "../formats/quoted.ts";
import { resolveModel } from "../hub/resolve-model.ts";
import { defaultModelPath } from "../node/default-model.ts";
import { learn } from "../train/adapter/learn.ts";
import type { TrainEvent } from "../train/loop/train-events.ts";
import type { LearnCommandOptions } from "./learn-options.ts";
import { openNamedModel } from "./model-options.ts";
import { promptSlug } from "./picture-file.ts";
import { progressLine } from "./progress-line.ts";
import { formatDuration } from "./progress-stream.ts";
import { shellWord } from "./shell-word.ts";
import type { Terminal } from "./terminal.ts";
import { progressPrinter } from "./train-progress.ts";

export async function runLearn(
  folder: string,
  options: LearnCommandOptions,
  terminal: Terminal,
): Promise<void> {
  const { word, json, model: named, threads, steps, memoryCheck } = options;
  const out = options.out ?? promptSlug(word);
  const base = named === undefined ? defaultModelPath() : await resolveModel(named, terminal.environment);
  const line = progressLine(terminal);
  const tell = (text: string): void => {
    line.clear();
    if (json !== true) terminal.err.write(`${printable(text)}\n`);
  };
  const print = progressPrinter(terminal);
  const onEvent = (event: TrainEvent): void => {
    if (json === true) terminal.out.write(`${JSON.stringify(event)}\n`);
    // Where the run's own files lie is of no use: they are moved or removed in the end.
    else if (event.type !== "checkpoint" && event.type !== "end") print(event);
  };
  const started = performance.now();
  try {
    const learnt = await learn({
      ...{ folder, word, out, base, signal: terminal.signal, onEvent },
      open: () => openNamedModel(options, terminal),
      ...(threads === undefined ? {} : { threads }),
      ...(steps === undefined ? {} : { steps }),
      ...(memoryCheck === false ? { checkMemory: false } : {}),
      onData: ({ pictures, captioned, without, passedOver }) => {
        tell(`${pictures} pictures, ${captioned} with captions of their own`);
        for (const reason of passedOver) tell(`note: left out ${reason}`);
        for (const name of without) tell(`note: the caption of ${name} does not say "${word}"`);
      },
      onDrawn: ({ done, total }) => line.update("drawing what the model knows", done, total),
    });
    line.clear();
    const prompt = shellWord(word);
    const command = `nextstep ${prompt} --adapter ${shellWord(out)}${named === undefined ? "" : ` --model ${shellWord(named)}`}`;
    if (json === true) terminal.out.write(`${JSON.stringify({ ...learnt, command })}\n`);
    else {
      const seconds = (performance.now() - started) / 1000;
      terminal.out.write(`learnt in ${formatDuration(seconds)}; draw it with: ${command}\n`);
    }
  } finally {
    line.clear();
  }
}
