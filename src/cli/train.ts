/** @file `nextstep train autoencoder|model CONFIG`: runs a stage and shows how it goes. */

import { trainAutoencoder } from "../train/autoencoder/autoencoder-stage.ts";
import { autoencoderTrainConfigSchema } from "../train/autoencoder/autoencoder-train-config.ts";
import { loadTrainConfig } from "../train/loop/train-config.ts";
import type { TrainEvent } from "../train/loop/train-events.ts";
import { trainModel } from "../train/model/model-stage.ts";
import { modelTrainConfigSchema } from "../train/model/model-train-config.ts";
import type { Terminal } from "./terminal.ts";
import { progressPrinter } from "./train-progress.ts";

/** Trains until the end or an interrupt, after which the same command continues. */
export async function runTraining(
  stage: "autoencoder" | "model",
  configFile: string,
  json: boolean,
  terminal: Terminal,
): Promise<void> {
  const onEvent = json
    ? (event: TrainEvent): void => void terminal.out.write(`${JSON.stringify(event)}\n`)
    : progressPrinter(terminal);
  const options = { signal: terminal.signal, onEvent };
  if (stage === "autoencoder")
    await trainAutoencoder(await loadTrainConfig(autoencoderTrainConfigSchema, configFile), options);
  else await trainModel(await loadTrainConfig(modelTrainConfigSchema, configFile), options);
}
