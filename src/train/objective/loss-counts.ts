/** @file What the mean losses of an update are taken over (docs/nextstep-spec.md 4.5). */
import type { NextStepConfig } from "../../model/config.ts";
import { IGNORED_LABEL } from "../../sequence/segments.ts";

/** Counts over some rows. Those of an update are the sums over its parts. */
export interface LossCounts {
  /** Ids that the language loss predicts. */
  readonly lm: number;
  /** Image tokens, predicted or only read. */
  readonly imageTokens: number;
  /** Image tokens that the image loss predicts. */
  readonly predictions: number;
}

/** The first id of a row is predicted by none. */
export function countLosses(
  config: NextStepConfig,
  { ids, labels, tokens }: { readonly ids: Int32Array; readonly labels: Int32Array; readonly tokens: number },
  predictions: number,
): LossCounts {
  let lm = 0;
  let imageTokens = 0;
  ids.forEach((id, at) => {
    if (id === config.placeholder) imageTokens++;
    else if (at % tokens > 0 && labels[at] !== IGNORED_LABEL) lm++;
  });
  return { lm, imageTokens, predictions };
}

export function addCounts(counts: readonly LossCounts[]): LossCounts {
  const total = (name: keyof LossCounts): number => counts.reduce((sum, count) => sum + count[name], 0);
  return { lm: total("lm"), imageTokens: total("imageTokens"), predictions: total("predictions") };
}

/**
 * Factors of the sums over ids and over predicted image tokens at all their times, so that the sums of parts add up to
 * the weighted means of the update. With `tokenLengthWeight`, the means are weighted by the tokens of each kind as well.
 */
export function lossFactors(
  config: NextStepConfig,
  { lm, imageTokens, predictions }: LossCounts,
): { readonly lm: number; readonly image: number } {
  const { lmLossWeight, imageLossWeight } = config;
  const all = lm + imageTokens;
  const weights = config.tokenLengthWeight
    ? { lm: (lmLossWeight * lm) / all, image: (imageLossWeight * imageTokens) / all }
    : { lm: lmLossWeight, image: imageLossWeight };
  return { lm: weights.lm / lm, image: weights.image / (predictions * config.headBatchMultiplier) };
}
