/** @file Reward learning of a tiny model over some updates, and in parts. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { rewardSettings, runReward, type Step, stepsOf } from "./test-rewards.ts";

let root = "";
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "nextstep-reward-"));
});
afterAll(() => rm(root, { recursive: true }));

describe("reward learning", () => {
  it("comes to nearly the same in parts", async () => {
    const losses = async (name: string, accumulate: number): Promise<Step> => {
      const loop = { accumulate, saveEvery: 0, validateEvery: 0, sampleEvery: 0 };
      return stepsOf(await runReward(rewardSettings(root, name, { loop, steps: 1 })))[0]!;
    };
    const [one, four] = [await losses("one", 1), await losses("four", 4)];
    expect(four.metrics.reward).toBe(one.metrics.reward);
    expect(Math.abs(four.gradientNorm / one.gradientNorm - 1)).toBeLessThan(1e-5);
  }, 240_000);

  it("makes a reward rise that pictures of one token can differ in", async () => {
    const config = rewardSettings(root, "rising", {
      ...{ imageSize: 16, steps: 14, groups: { prompts: 1, size: 32 }, rollout: { steps: 6 } },
      ...{ adapter: { rank: 4 }, optimizer: { learningRate: 0.02 } },
    });
    const steps = stepsOf(await runReward(config));
    const mean = (part: readonly Step[]) =>
      part.reduce((sum, step) => sum + step.metrics.reward! / part.length, 0);
    // As far as pictures of the beginning differ, which is twelve standard errors of the means compared.
    const risen = mean(steps.slice(-3)) - mean(steps.slice(0, 3));
    expect(risen).toBeGreaterThan(steps[0]!.metrics.spread!);
  }, 120_000);
});
