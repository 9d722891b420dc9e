/** @file How like a picture drawings are, whatever their prompts. */
import type { RgbImage } from "../../image/pixels.ts";
import type { Reward } from "../../train/reward/reward.ts";
import type { Scorer } from "../emoji/scorer.ts";

/** 0 less the distance of features: 0 for the picture itself. */
export async function likenessReward(picture: RgbImage, scorer: Scorer): Promise<Reward> {
  const [model] = await scorer.of([picture]);
  return async (pictures) => {
    const features = await scorer.of(pictures.map(({ pixels }) => pixels));
    return features.map((feature) => 0 - scorer.distance(feature, model!));
  };
}
