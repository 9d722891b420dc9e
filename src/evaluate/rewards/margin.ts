/** @file How clearly one of several is meant: the measure of rewards that compare. */
import type { Distance, Feature, LabelledFeature } from "../retrieval.ts";

/**
 * (other - own) / (other + own), of the distances to what was asked for and to the nearest that was not.
 * @returns -1 to 1: above 0 if what was asked for is nearest of all, 1 if it is met exactly.
 */
export function margin(own: number, other: number): number {
  return own + other === 0 ? 0 : (other - own) / (other + own);
}

/** The margin of a subject among the real pictures of all, of which it must have one. */
export function subjectMargin(
  subject: string,
  feature: Feature,
  real: readonly LabelledFeature[],
  distance: Distance,
): number {
  let [own, other] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (const entry of real) {
    const far = distance(feature, entry.feature);
    if (entry.subject === subject) own = Math.min(own, far);
    else other = Math.min(other, far);
  }
  return margin(own, other);
}
