/** @file Figures with 95 % confidence intervals: shares, means, and ratios of sums. */
import { CounterRng } from "../tensor/counter-rng.ts";

/** A figure and the interval that holds its true value in 95 of 100 samples like this one. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
  /** How many pictures it was taken of. */
  readonly count: number;
}

/** 97.5 % of a normal variable lie below. */
export const NORMAL_QUANTILE = 1.959964;
const RESAMPLES = 1000;
const OUTSIDE = 0.025;

/** The share of `hits` in `count`, 0 to 1, with Wilson's score interval (1927), which holds near 0 and 1 too. */
export function shareOf(hits: number, count: number): Estimate {
  const p = hits / count;
  const z = NORMAL_QUANTILE;
  const spread = 1 + z ** 2 / count;
  const centre = (p + z ** 2 / (2 * count)) / spread;
  const half = (z / spread) * Math.sqrt((p * (1 - p)) / count + z ** 2 / (4 * count ** 2));
  return { value: p, low: Math.max(0, centre - half), high: Math.min(1, centre + half), count };
}

/** The mean of values, with the percentile interval of a bootstrap (Efron 1979) that is the same every time. */
export function meanOf(values: readonly number[]): Estimate {
  return ratioOf(values.map((value) => [value, 1]));
}

/** The sum of the first numbers divided by that of the second, bootstrapped over the pairs. */
export function ratioOf(pairs: readonly (readonly [number, number])[]): Estimate {
  const rng = new CounterRng(0);
  const ratio = (pick: (index: number) => readonly [number, number]): number => {
    let [above, below] = [0, 0];
    for (let index = 0; index < pairs.length; index++) {
      const [a, b] = pick(index);
      above += a;
      below += b;
    }
    return above / below;
  };
  const value = ratio((index) => pairs[index]!);
  const resampled = Float64Array.from({ length: RESAMPLES }, () =>
    ratio(() => pairs[rng.below(pairs.length)]!),
  ).sort();
  const at = (share: number): number => resampled[Math.round(share * (RESAMPLES - 1))]!;
  return { value, low: at(OUTSIDE), high: at(1 - OUTSIDE), count: pairs.length };
}
