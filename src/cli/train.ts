/** @file `nextstep train autoencoder|model CONFIG`: runs a stage and shows how it goes, or what it would take. */

import { autoencoderTrainConfigSchema } from "../train/autoencoder/autoencoder-train-config.ts";
import { rehearseAutoencoder, trainAutoencoder } from "../train/autoencoder/train-autoencoder.ts";
import type { ConfigOverride } from "../train/loop/config-overrides.ts";
import type { Rehearsal } from "../train/loop/rehearsal.ts";
import type { TrainOptions } from "../train/loop/run-loop.ts";
import { loadTrainConfig } from "../train/loop/train-config.ts";
import type { TrainEvent } from "../train/loop/train-events.ts";
import { modelTrainConfigSchema } from "../train/model/model-train-config.ts";
import { rehearseModel, trainModel } from "../train/model/train-model.ts";
import type { Terminal } from "./terminal.ts";
import { progressPrinter } from "./train-progress.ts";
import { describeRehearsal } from "./train-rehearsal.ts";

export interface TrainCommandOptions {
  /** Settings in place of the file's. */
  readonly set?: readonly ConfigOverride[];
  readonly dryRun?: true;
  readonly json?: true;
}

/** What can be done with a config. */
interface Run {
  train(options: TrainOptions): Promise<unknown>;
  rehearse(options: Pick<TrainOptions, "signal">): Promise<Rehearsal>;
}

async function openRun(
  stage: "autoencoder" | "model",
  file: string,
  overrides: readonly ConfigOverride[],
): Promise<Run> {
  if (stage === "autoencoder") {
    const config = await loadTrainConfig(autoencoderTrainConfigSchema, file, overrides);
    return {
      train: (options) => trainAutoencoder(config, options),
      rehearse: (options) => rehearseAutoencoder(config, options),
    };
  }
  const config = await loadTrainConfig(modelTrainConfigSchema, file, overrides);
  return {
    train: (options) => trainModel(config, options),
    rehearse: (options) => rehearseModel(config, options),
  };
}

/** Trains until the end or an interrupt, after which the same command continues. */
export async function runTraining(
  stage: "autoencoder" | "model",
  file: string,
  { set = [], dryRun, json }: TrainCommandOptions,
  terminal: Terminal,
): Promise<void> {
  const { out, signal } = terminal;
  const run = await openRun(stage, file, set);
  if (dryRun) {
    const found = await run.rehearse({ signal });
    out.write(json ? `${JSON.stringify(found)}\n` : describeRehearsal(found));
    return;
  }
  const onEvent = json
    ? (event: TrainEvent): void => void out.write(`${JSON.stringify(event)}\n`)
    : progressPrinter(terminal);
  await run.train({ signal, onEvent });
}
