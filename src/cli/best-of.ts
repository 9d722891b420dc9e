/** @file `--best-of N`: of the pictures that were drawn of each prompt, the best. */
import type { ImageInput } from "../generate/input-images.ts";
import type { Model } from "../generate/model.ts";
import type { Picture } from "../generate/picture.ts";
import type { ChosenBy } from "../generate/recipe-chosen.ts";
import type { BestPicture } from "../generate/score-plan.ts";
import { placeImages } from "../generate/tagged-prompts.ts";
import { adapterChoices } from "./adapter-options.ts";
import type { DrawCommandOptions } from "./draw-options.ts";
import type { Terminal } from "./terminal.ts";

export const DEFAULT_CHOSEN_BY: ChosenBy = "likelihood";

/** Chooses among all pictures of a drawing; told how many are scored. */
export type ChooseBest = (
  pictures: readonly Picture[],
  onScore: (done: number) => void,
) => Promise<readonly BestPicture[]>;

/** Undefined without `--best-of`. */
export function chooserOf(
  model: Model,
  prompts: readonly string[],
  { bestOf, by = DEFAULT_CHOSEN_BY, image: images = [], adapter }: DrawCommandOptions,
  { signal }: Terminal,
): ChooseBest | undefined {
  if (bestOf === undefined) return undefined;
  return async (pictures, onScore) => {
    const best: BestPicture[] = [];
    for (const [index, tagged] of placeImages(prompts, images.length).entries()) {
      const own: ImageInput[] = tagged.images.map((image) => images[image] as string);
      const from = index * bestOf;
      const options = { ...adapterChoices(adapter), images: own, signal };
      const drawn = pictures.slice(from, from + bestOf);
      best.push(await model.best(drawn, by, options, (done) => onScore(from + done)));
    }
    return best;
  };
}
