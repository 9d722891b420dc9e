/** @file `nextstep train tokenizer|model CONFIG`: runs a stage and shows how it goes. */
import { modelConfigSchema } from "../train/model-config.ts";
import { trainModel } from "../train/model-stage.ts";
import { progressPrinter } from "../train/progress-log.ts";
import { tokenizerConfigSchema } from "../train/tokenizer-config.ts";
import { trainTokenizer } from "../train/tokenizer-stage.ts";
import { loadTrainConfig } from "../train/train-config.ts";
import type { TrainEvent } from "../train/train-events.ts";
import type { Terminal } from "./terminal.ts";

/** Trains until the end or an interrupt, after which the same command continues. */
export async function runTraining(
  stage: "tokenizer" | "model",
  configFile: string,
  json: boolean,
  terminal: Terminal,
): Promise<void> {
  const onEvent = json
    ? (event: TrainEvent): void => void terminal.out.write(`${JSON.stringify(event)}\n`)
    : progressPrinter(terminal.err);
  const options = { signal: terminal.signal, onEvent };
  if (stage === "tokenizer")
    await trainTokenizer(await loadTrainConfig(tokenizerConfigSchema, configFile), options);
  else await trainModel(await loadTrainConfig(modelConfigSchema, configFile), options);
}
