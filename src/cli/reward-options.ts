/** @file The options by which commands name a reward, and how it is then opened. */
import { type Command, InvalidArgumentError } from "commander";
import { ConfigError } from "../errors.ts";
import type { OpenReward, RewardSources } from "../evaluate/rewards/open-reward.ts";
import { parseRewardSpec, type RewardSpec } from "../evaluate/rewards/reward-spec.ts";
import type { ModelOptions } from "./model-options.ts";

/** What rewards compare pictures with. */
export type RewardSourceOptions = Pick<RewardSources, "data" | "features">;

export function rewardArgument(text: string): RewardSpec {
  try {
    return parseRewardSpec(text);
  } catch (error) {
    throw error instanceof ConfigError ? new InvalidArgumentError(error.message) : error;
  }
}

export function addRewardSources(command: Command): Command {
  return command
    .option(
      "--data <folder>",
      "folder that `nextstep data emoji` made, for the rewards subject, colour, count and position",
    )
    .option(
      "--features <file>",
      "weights of EfficientNet-lite0, by whose features subject, position and likeness compare; without it, by shape and colour",
    );
}

/** Opens a reward for prompts that it can judge; it must be disposed. */
export async function openNamedReward(
  spec: RewardSpec,
  prompts: readonly string[],
  { data, features, threads }: RewardSourceOptions & Pick<ModelOptions, "threads">,
): Promise<OpenReward> {
  const { openReward } = await import("../evaluate/rewards/open-reward.ts");
  const reward = await openReward(spec, {
    ...(data === undefined ? {} : { data }),
    ...(features === undefined ? {} : { features }),
    ...(threads === undefined ? {} : { threads }),
  });
  try {
    reward.refuseUnjudged(prompts);
  } catch (error) {
    await reward[Symbol.asyncDispose]();
    throw error;
  }
  return reward;
}
