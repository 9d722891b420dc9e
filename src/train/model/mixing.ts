/** @file Choice by weight: of captions in a sample, and of data sets for each packed row (docs/nextstep-spec.md 4.2). */

import { ConfigError } from "../../errors.ts";

/**
 * Draws an index with probability proportional to its weight.
 * Throws ConfigError for weights that are negative, not finite, or all zero.
 * @param random uniform in [0, 1), called once
 */
export function chooseWeighted(weights: readonly number[], random: () => number): number {
  let total = 0;
  for (const weight of weights) {
    if (!Number.isFinite(weight) || weight < 0) {
      throw new ConfigError(`${weight} is not a weight`, { remedy: "use numbers of 0 or more" });
    }
    total += weight;
  }
  if (total <= 0)
    throw new ConfigError("nothing to choose from", { remedy: "give one entry a positive weight" });
  const place = random() * total;
  let sum = 0;
  let last = 0;
  for (const [index, weight] of weights.entries()) {
    if (weight === 0) continue;
    sum += weight;
    if (place < sum) return index;
    last = index;
  }
  // Rounding of the sum can leave the place a hair above it.
  return last;
}
