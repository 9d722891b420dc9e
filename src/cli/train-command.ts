/** @file `nextstep train`: arguments and options. */
import { type Command, InvalidArgumentError } from "commander";
import { ConfigError } from "../errors.ts";
import { type ConfigOverride, parseOverride } from "../train/loop/config-overrides.ts";
import type { Terminal } from "./terminal.ts";
import type { TrainCommandOptions } from "./train.ts";
import { TRAINING_STAGES, type TrainingStage } from "./training-stages.ts";

const DESCRIPTIONS: Readonly<Record<TrainingStage, string>> = {
  autoencoder: "train the image autoencoder",
  model: "train the transformer and its image head",
  adapter: "train an adapter beside the frozen weights of a model",
  preference: "train a model, or an adapter, on pairs of pictures of which one is preferred",
  reward: "train a model, or an adapter, by a reward on what it draws",
};

export function addTrainCommands(program: Command, terminal: Terminal): void {
  const train = program
    .command("train")
    .description(
      "train an autoencoder, a model or an adapter, from data, preferences or rewards; started again, it continues",
    );
  for (const stage of TRAINING_STAGES) {
    train
      .command(stage)
      .description(DESCRIPTIONS[stage])
      .argument("<config>", "JSON file with the settings")
      .option(
        "--set <key.path=value>",
        "a setting in place of the file's, e.g. loop.saveEvery=100 (several times)",
        withSetting,
      )
      .option("--dry-run", "tell what the run would take, from a few steps that are thrown away")
      .option("--json", "print JSON: events as lines, or what a dry run tells")
      .action(async (config: string, options: TrainCommandOptions) => {
        const { runTraining } = await import("./train.ts");
        await runTraining(stage, config, options, terminal);
      });
  }
}

/** Only the form is told here: which keys there are depends on the kind of config. */
function withSetting(text: string, previous: readonly ConfigOverride[] = []): ConfigOverride[] {
  try {
    return [...previous, parseOverride(text)];
  } catch (error) {
    throw error instanceof ConfigError ? new InvalidArgumentError(error.message) : error;
  }
}
