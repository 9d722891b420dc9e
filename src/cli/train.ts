/** @file `nextstep train autoencoder|model CONFIG`: runs a stage and shows how it goes. */

import { resolveModel } from "../hub/resolve-model.ts";
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
    : progressPrinter(terminal.err);
  const options = { signal: terminal.signal, onEvent };
  // Folders of models may be given as repositories in the hub's cache.
  const place = (name: string): Promise<string> => resolveModel(name, terminal.environment);
  if (stage === "autoencoder") {
    const config = await loadTrainConfig(autoencoderTrainConfigSchema, configFile);
    const start = config.start === null ? null : await place(config.start);
    await trainAutoencoder({ ...config, start }, options);
    return;
  }
  const config = await loadTrainConfig(modelTrainConfigSchema, configFile);
  const { textTokenizer } = config;
  await trainModel(
    {
      ...config,
      start: config.start === null ? null : await place(config.start),
      autoencoder: await place(config.autoencoder),
      textTokenizer: typeof textTokenizer === "string" ? await place(textTokenizer) : textTokenizer,
    },
    options,
  );
}
