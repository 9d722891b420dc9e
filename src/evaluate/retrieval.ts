/** @file Whether a drawn picture is, of all real pictures, nearest to the one of its own subject. */
import { InputError } from "../errors.ts";
import { type Estimate, shareOf } from "./estimate.ts";

/** A vector that stands for a picture. */
export type Feature = Float64Array;
export type Distance = (a: Feature, b: Feature) => number;

export interface LabelledFeature {
  readonly subject: string;
  readonly feature: Feature;
}

/**
 * The place from 1 of the right subject's real picture, all being ordered by their distance to the drawing.
 * @throws InputError when the subject has no real picture.
 */
export function rankOf(
  { subject, feature }: LabelledFeature,
  real: readonly LabelledFeature[],
  distance: Distance,
): number {
  const distances = real.map((entry) => distance(feature, entry.feature));
  const own = Math.min(...distances.filter((_, index) => real[index]!.subject === subject));
  if (!Number.isFinite(own)) throw new InputError(`no real picture of "${subject}"`, { where: "retrieval" });
  return 1 + distances.filter((each) => each < own).length;
}

/** The share of ranks that are at most `limit`. */
export function shareWithin(ranks: readonly number[], limit: number): Estimate {
  return shareOf(ranks.filter((rank) => rank <= limit).length, ranks.length);
}
