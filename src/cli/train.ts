/** @file `nextstep train autoencoder|model|adapter|preference|reward CONFIG`: runs a stage and shows how it goes, or what it would take. */

import { parseRewardSpec } from "../evaluate/rewards/reward-spec.ts";
import { resolveModel } from "../hub/resolve-model.ts";
import { adapterTrainConfigSchema } from "../train/adapter/adapter-train-config.ts";
import { rehearseAdapter, trainAdapter } from "../train/adapter/train-adapter.ts";
import { autoencoderTrainConfigSchema } from "../train/autoencoder/autoencoder-train-config.ts";
import { rehearseAutoencoder, trainAutoencoder } from "../train/autoencoder/train-autoencoder.ts";
import type { ConfigOverride } from "../train/loop/config-overrides.ts";
import type { Rehearsal } from "../train/loop/rehearsal.ts";
import type { TrainOptions } from "../train/loop/run-loop.ts";
import { loadTrainConfig } from "../train/loop/train-config.ts";
import type { TrainEvent } from "../train/loop/train-events.ts";
import { modelTrainConfigSchema } from "../train/model/model-train-config.ts";
import { rehearseModel, trainModel } from "../train/model/train-model.ts";
import { preferenceTrainConfigSchema } from "../train/preference/preference-train-config.ts";
import { rehearsePreference, trainPreference } from "../train/preference/train-preference.ts";
import { type RewardTrainConfig, rewardTrainConfigSchema } from "../train/reward/reward-train-config.ts";
import { type RewardSource, rehearseReward, trainReward } from "../train/reward/train-reward.ts";
import type { Terminal } from "./terminal.ts";
import { progressPrinter } from "./train-progress.ts";
import { describeRehearsal } from "./train-rehearsal.ts";
import type { TrainingStage } from "./training-stages.ts";

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
  stage: TrainingStage,
  file: string,
  overrides: readonly ConfigOverride[],
  environment: Terminal["environment"],
): Promise<Run> {
  // Folders of models may be given as repositories in the hub's cache.
  const place = (name: string): Promise<string> => resolveModel(name, environment);
  if (stage === "autoencoder") {
    const given = await loadTrainConfig(autoencoderTrainConfigSchema, file, overrides);
    const config = { ...given, start: given.start === null ? null : await place(given.start) };
    return {
      train: (options) => trainAutoencoder(config, options),
      rehearse: (options) => rehearseAutoencoder(config, options),
    };
  }
  if (stage === "adapter") {
    const given = await loadTrainConfig(adapterTrainConfigSchema, file, overrides);
    const config = { ...given, base: await place(given.base) };
    return {
      train: (options) => trainAdapter(config, options),
      rehearse: (options) => rehearseAdapter(config, options),
    };
  }
  if (stage === "preference") {
    const given = await loadTrainConfig(preferenceTrainConfigSchema, file, overrides);
    const config = { ...given, base: await place(given.base) };
    return {
      train: (options) => trainPreference(config, options),
      rehearse: (options) => rehearsePreference(config, options),
    };
  }
  if (stage === "reward") {
    const given = await loadTrainConfig(rewardTrainConfigSchema, file, overrides);
    const config = { ...given, base: await place(given.base) };
    return {
      train: (options) => withReward(config, (reward) => trainReward(config, { ...reward, ...options })),
      rehearse: (options) =>
        withReward(config, (reward) => rehearseReward(config, { ...reward, ...options })),
    };
  }
  const given = await loadTrainConfig(modelTrainConfigSchema, file, overrides);
  const { start, textTokenizer } = given;
  const config = {
    ...given,
    start: start === null ? null : await place(start),
    autoencoder: await place(given.autoencoder),
    textTokenizer: typeof textTokenizer === "string" ? await place(textTokenizer) : textTokenizer,
  };
  return {
    train: (options) => trainModel(config, options),
    rehearse: (options) => rehearseModel(config, options),
  };
}

/** Opens a config's reward for as long as it is learnt from. */
async function withReward<Result>(
  { reward: { name, data, features }, engine: { threads } }: RewardTrainConfig,
  use: (source: RewardSource) => Promise<Result>,
): Promise<Result> {
  const { openReward } = await import("../evaluate/rewards/open-reward.ts");
  await using opened = await openReward(parseRewardSpec(name), {
    ...(data === null ? {} : { data }),
    ...(features === null ? {} : { features }),
    ...(threads === null ? {} : { threads }),
  });
  const { reward, identity } = opened;
  return await use({ reward, identity, refuseUnjudged: (prompts) => opened.refuseUnjudged(prompts) });
}

/** Trains until the end or an interrupt, after which the same command continues. */
export async function runTraining(
  stage: TrainingStage,
  file: string,
  { set = [], dryRun, json }: TrainCommandOptions,
  terminal: Terminal,
): Promise<void> {
  const { out, signal } = terminal;
  const run = await openRun(stage, file, set, terminal.environment);
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
