/** @file A run of reward learning on a tiny model, for the tests of this room. */
import { join } from "node:path";
import { testModelPath } from "../../generate/test-models.ts";
import { parseTrainConfig } from "../loop/train-config.ts";
import type { TrainEvent } from "../loop/train-events.ts";
import type { Reward } from "./reward.ts";
import { type RewardTrainConfig, rewardTrainConfigSchema } from "./reward-train-config.ts";
import { trainReward } from "./train-reward.ts";

export function rewardSettings(
  root: string,
  name: string,
  change: Readonly<Record<string, unknown>> = {},
): RewardTrainConfig {
  const json = {
    ...{
      output: join(root, name),
      base: testModelPath("v1.1"),
      reward: { name: "red" },
      prompts: ["a mug", "rain"],
      imageSize: 32,
    },
    ...{ steps: 3, groups: { prompts: 2, size: 3 }, rollout: { steps: 4 }, engine: { threads: 1 } },
    adapter: { rank: 2 },
    optimizer: { learningRate: 0.01 },
    loop: { saveEvery: 0, validateEvery: 0, sampleEvery: 0 },
    ...change,
  };
  return parseTrainConfig(rewardTrainConfigSchema, json, "config.json");
}

/** Mean of a channel, 0 to 1, less that of the others. */
export const redness: Reward = async (pictures) =>
  pictures.map(({ pixels: { data } }) => {
    const sums = [0, 0, 0];
    data.forEach((value, i) => {
      sums[i % 3]! += value;
    });
    return (sums[0]! - (sums[1]! + sums[2]!) / 2) / (255 * (data.length / 3));
  });

export type Step = TrainEvent & { readonly type: "step" };
export const stepsOf = (events: readonly TrainEvent[]): Step[] =>
  events.filter((event): event is Step => event.type === "step");

export async function runReward(config: RewardTrainConfig, reward: Reward = redness): Promise<TrainEvent[]> {
  const events: TrainEvent[] = [];
  await trainReward(config, { reward, onEvent: (event) => events.push(event) });
  return events;
}
