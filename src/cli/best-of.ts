/** @file `--best-of N`: of the pictures that were drawn of each prompt, the best. */
import type { OpenReward } from "../evaluate/rewards/open-reward.ts";
import type { ImageInput } from "../generate/input-images.ts";
import type { Model } from "../generate/model.ts";
import type { Picture } from "../generate/picture.ts";
import type { ChosenBy } from "../generate/recipe-chosen.ts";
import type { BestPicture } from "../generate/score-plan.ts";
import { placeImages, type TaggedPrompt } from "../generate/tagged-prompts.ts";
import { rewardsOf } from "../train/reward/reward.ts";
import { adapterChoices } from "./adapter-options.ts";
import type { DrawCommandOptions } from "./draw-options.ts";
import { openNamedReward } from "./reward-options.ts";
import type { Terminal } from "./terminal.ts";

export const DEFAULT_CHOSEN_BY: ChosenBy = "likelihood";

/** Chooses among all pictures of a drawing; told how many are scored. */
export type ChooseBest = (
  pictures: readonly Picture[],
  onScore: (done: number) => void,
) => Promise<readonly BestPicture[]>;

/** Undefined without `--best-of`. @param reward opened, where one chooses. */
export function chooserOf(
  model: Model,
  prompts: readonly string[],
  options: DrawCommandOptions,
  { signal }: Terminal,
  reward: OpenReward | undefined,
): ChooseBest | undefined {
  const { bestOf, by = DEFAULT_CHOSEN_BY, image: images = [], adapter } = options;
  if (bestOf === undefined) return undefined;
  const choose = async (
    drawn: readonly Picture[],
    tagged: TaggedPrompt,
    onScore: (done: number) => void,
  ): Promise<BestPicture> => {
    if (reward !== undefined) {
      const pictures = drawn.map(({ pixels, prompt }) => ({ prompt, pixels }));
      const rewards = [...(await rewardsOf(reward.reward, pictures, { signal }))];
      onScore(drawn.length);
      return model.bestBy(drawn, rewards, reward.name);
    }
    const own: ImageInput[] = tagged.images.map((image) => images[image] as string);
    return model.best(drawn, by as ChosenBy, { ...adapterChoices(adapter), images: own, signal }, onScore);
  };
  return async (pictures, onScore) => {
    const best: BestPicture[] = [];
    for (const [index, tagged] of placeImages(prompts, images.length).entries()) {
      const from = index * bestOf;
      const drawn = pictures.slice(from, from + bestOf);
      best.push(await choose(drawn, tagged, (done) => onScore(from + done)));
    }
    return best;
  };
}

/** The reward that chooses, if one does. It must be disposed. */
export async function openChoosing(
  prompts: readonly string[],
  options: DrawCommandOptions,
): Promise<OpenReward | undefined> {
  return typeof options.by === "object" ? openNamedReward(options.by, prompts, options) : undefined;
}
