import { describe, expect, it } from "vitest";
import { AbortedError, InputError } from "../../errors.ts";
import { type Reward, type RewardedPicture, rewardsOf } from "./reward.ts";

const pictures: readonly RewardedPicture[] = ["one", "two"].map((prompt) => ({
  prompt,
  pixels: { width: 1, height: 1, data: new Uint8Array(3) },
}));

describe("rewardsOf", () => {
  it("gives the numbers in the order of the pictures", async () => {
    const reward: Reward = async (given) => given.map(({ prompt }) => prompt.charCodeAt(0));
    expect([...(await rewardsOf(reward, pictures))]).toEqual([111, 116]);
  });

  it.each([[[]], [[1]], [[1, 2, 3]]])("refuses %j for two pictures", async (numbers) => {
    await expect(rewardsOf(async () => numbers, pictures)).rejects.toThrow(
      new InputError(`gave ${numbers.length} numbers for 2 pictures`, {
        where: "reward",
        remedy: "a reward gives one finite number a picture, in their order",
      }),
    );
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])("refuses %d", async (value) => {
    await expect(rewardsOf(async () => [1, value], pictures)).rejects.toThrow(
      `gave ${value} for a picture of "two"`,
    );
  });

  it("asks nothing once the signal has fired", async () => {
    const reward: Reward = () => Promise.reject(new Error("was asked"));
    await expect(rewardsOf(reward, pictures, { signal: AbortSignal.abort() })).rejects.toThrow(AbortedError);
  });
});
