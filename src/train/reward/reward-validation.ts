/** @file The reward on prompts that are not trained on: the same pictures, but for the weights, at every validation. */
import type { NamedBuffer } from "../optimizer/trainable.ts";
import { meanOf } from "./group-advantages.ts";
import { type Reward, rewardsOf } from "./reward.ts";
import type { RolloutDrawer } from "./rollout-drawer.ts";

export class RewardValidation {
  readonly #drawer: RolloutDrawer;
  readonly #reward: Reward;
  readonly #wanted: readonly { readonly prompt: string; readonly seed: number }[];

  /** @param pictures of each prompt */
  constructor(drawer: RolloutDrawer, reward: Reward, prompts: readonly string[], pictures: number) {
    this.#drawer = drawer;
    this.#reward = reward;
    this.#wanted = prompts.flatMap((prompt, index) =>
      Array.from({ length: pictures }, (_, copy) => ({ prompt, seed: index * pictures + copy })),
    );
  }

  /** @returns `reward`, the mean over all pictures, and `reward_error`, its standard error. */
  async run(weights: readonly NamedBuffer[]): Promise<Record<string, number>> {
    const drawn = await this.#drawer.draw(weights, this.#wanted, []);
    const rewards = await rewardsOf(
      this.#reward,
      drawn.map(({ pixels }, index) => ({ prompt: this.#wanted[index]?.prompt ?? "", pixels })),
    );
    const reward = meanOf(rewards);
    const count = rewards.length;
    const variance = meanOf(rewards.map((value) => (value - reward) ** 2)) * (count / Math.max(1, count - 1));
    return { reward, reward_error: Math.sqrt(variance / count) };
  }
}
