/** @file What a reward is: a function from drawn pictures to numbers, whatever it is made of. */
import { InputError, refuseAborted } from "../../errors.ts";
import type { RgbImage } from "../../image/pixels.ts";

/** A drawn picture and the prompt that it was drawn for. */
export interface RewardedPicture {
  readonly prompt: string;
  readonly pixels: RgbImage;
}

export interface RewardOptions {
  readonly signal?: AbortSignal;
}

/** Rewards of pictures in their order, larger is better. Pictures of one call may have different prompts. */
export type Reward = (
  pictures: readonly RewardedPicture[],
  options: RewardOptions,
) => Promise<readonly number[]>;

/**
 * What a reward gives for pictures, checked.
 * @returns one finite number a picture, in their order
 * @throws InputError if it gives another count of numbers or one that is not finite, AbortedError once the signal has
 *   fired, and whatever the reward throws
 */
export async function rewardsOf(
  reward: Reward,
  pictures: readonly RewardedPicture[],
  options: RewardOptions = {},
): Promise<Float64Array> {
  refuseAborted(options.signal);
  let rewards: readonly number[];
  try {
    rewards = await reward(pictures, options);
  } finally {
    // Whatever a reward makes of being stopped.
    refuseAborted(options.signal);
  }
  const remedy = "a reward gives one finite number a picture, in their order";
  if (rewards.length !== pictures.length) {
    throw new InputError(`gave ${rewards.length} numbers for ${pictures.length} pictures`, {
      where: "reward",
      remedy,
    });
  }
  for (const [index, value] of rewards.entries()) {
    if (Number.isFinite(value)) continue;
    const prompt = JSON.stringify(pictures[index]?.prompt);
    throw new InputError(`gave ${value} for a picture of ${prompt}`, { where: "reward", remedy });
  }
  return Float64Array.from(rewards);
}
