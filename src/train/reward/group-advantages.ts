/**
 * @file How much better than its group each picture is: GRPO's advantages (arXiv 2402.03300, as Flow-GRPO has them in
 * arXiv 2505.05470), and which groups teach nothing.
 */

export interface GroupBounds {
  /** A group with a mean reward above it is rejected: there is little left to learn from it. Null: none is. */
  readonly maxMean: number | null;
  /** A group whose rewards have a standard deviation of it or less is rejected: its differences are chance. */
  readonly minSpread: number;
}

export interface GroupOutcome {
  readonly mean: number;
  /** Standard deviation over the group's pictures. */
  readonly spread: number;
  readonly kept: boolean;
  /** (reward - mean) / (spread + 1e-4) of each picture. */
  readonly advantages: Float64Array;
}

/** As in the published code: a group whose rewards hardly differ is not blown up to differences of 1. */
const SPREAD_FLOOR = 1e-4;

/**
 * @param rewards of whole groups, one after the other
 * @param size pictures of a group
 */
export function groupOutcomes(rewards: Float64Array, size: number, bounds: GroupBounds): GroupOutcome[] {
  return Array.from({ length: rewards.length / size }, (_, group) => {
    const own = rewards.subarray(group * size, (group + 1) * size);
    const mean = meanOf(own);
    const spread = Math.sqrt(meanOf(own.map((reward) => (reward - mean) ** 2)));
    return {
      mean,
      spread,
      kept: spread > bounds.minSpread && (bounds.maxMean === null || mean <= bounds.maxMean),
      advantages: own.map((reward) => (reward - mean) / (spread + SPREAD_FLOOR)),
    };
  });
}

export function meanOf(values: ArrayLike<number>): number {
  return Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;
}
