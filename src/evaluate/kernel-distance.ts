/**
 * @file The kernel distance of two sets of pictures: the squared maximum mean discrepancy of their features under a
 * polynomial kernel, unbiased (Bińkowski, Sutherland, Arbel, Gretton: Demystifying MMD GANs, ICLR 2018; "KID").
 */
import { InputError } from "../errors.ts";
import { type Estimate, NORMAL_QUANTILE } from "./estimate.ts";
import type { Feature } from "./retrieval.ts";

/** k(x, y) = (x . y / d + 1)^3, as published. */
function kernel(x: Feature, y: Feature): number {
  let dot = 0;
  for (let i = 0; i < x.length; i++) dot += x[i]! * y[i]!;
  return (dot / x.length + 1) ** 3;
}

/**
 * The distance between drawn and real pictures, in pairs of one subject each. 0 for sets of one distribution, and then
 * as often below as above. The estimator is the one-sample U-statistic over pairs, h(i, j) = k(x_i, x_j) + k(y_i, y_j)
 * - k(x_i, y_j) - k(x_j, y_i) with i != j (Gretton et al., JMLR 2012, section 6), which leaves out the products of a
 * drawing with its own original: these are alike because the subject is, not because the distributions are. Its
 * interval is that of the jackknife over pairs.
 * @throws InputError unless there are as many of both, and at least three.
 */
export function kernelDistance(drawn: readonly Feature[], real: readonly Feature[]): Estimate {
  const count = drawn.length;
  if (real.length !== count || count < 3) {
    throw new InputError(`${count} drawn and ${real.length} real pictures`, {
      where: "kernel distance",
      remedy: "give three pairs or more",
    });
  }
  /** Sum over j of h(i, j). */
  const rows = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    for (let j = 0; j < i; j++) {
      const h =
        kernel(drawn[i]!, drawn[j]!) +
        kernel(real[i]!, real[j]!) -
        kernel(drawn[i]!, real[j]!) -
        kernel(drawn[j]!, real[i]!);
      rows[i] = rows[i]! + h;
      rows[j] = rows[j]! + h;
    }
  }
  const total = rows.reduce((sum, row) => sum + row, 0);
  const value = total / (count * (count - 1));
  // Without pair i, its row and its column are gone.
  const without = rows.map((row) => (total - 2 * row) / ((count - 1) * (count - 2)));
  const centre = without.reduce((sum, each) => sum + each, 0) / count;
  const squares = without.reduce((sum, each) => sum + (each - centre) ** 2, 0);
  const half = NORMAL_QUANTILE * Math.sqrt(((count - 1) / count) * squares);
  return { value, low: value - half, high: value + half, count };
}
