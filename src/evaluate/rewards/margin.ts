/** @file How clearly one of several is meant: the measure of rewards that compare. */
import type { Distance, Feature, LabelledFeature } from "../retrieval.ts";

/**
 * (other - own) / (other + own), of the distances to what was asked for and to the nearest that was not.
 * @returns -1 to 1: above 0 if what was asked for is nearest of all, 1 if it is met exactly.
 */
export function margin(own: number, other: number): number {
  return own + other === 0 ? 0 : (other - own) / (other + own);
}

/**
 * Margins of subjects among the real pictures of all. Where a picture is further from every other thing than the nearest
 * of them is from what was asked for, that distance stands for the other: what is far from everything would else come
 * near to 0, and whoever draws it badly could gain by drawing nothing that is like anything.
 */
export class SubjectMargins {
  readonly #real: readonly LabelledFeature[];
  readonly #distance: Distance;
  /** Of each subject, how far the nearest other thing is from its real pictures. */
  readonly #neighbours = new Map<string, number>();

  constructor(real: readonly LabelledFeature[], distance: Distance) {
    this.#real = real;
    this.#distance = distance;
  }

  /** @param subject must have a real picture. */
  of(subject: string, feature: Feature): number {
    const { own, other } = this.#nearest(subject, feature);
    return margin(own, Math.min(other, this.#neighbour(subject)));
  }

  #nearest(subject: string, feature: Feature): { own: number; other: number } {
    let [own, other] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    for (const entry of this.#real) {
      const far = this.#distance(feature, entry.feature);
      if (entry.subject === subject) own = Math.min(own, far);
      else other = Math.min(other, far);
    }
    return { own, other };
  }

  #neighbour(subject: string): number {
    const known = this.#neighbours.get(subject);
    if (known !== undefined) return known;
    const own = this.#real.filter((entry) => entry.subject === subject);
    const found = Math.min(...own.map(({ feature }) => this.#nearest(subject, feature).other));
    this.#neighbours.set(subject, found);
    return found;
  }
}
