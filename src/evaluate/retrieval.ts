/** @file Whether a drawn picture is, of all real pictures, nearest to the one of its own subject. */
import { InputError } from "../errors.ts";
import { featureDistance } from "./picture-feature.ts";

export interface LabelledFeature {
  readonly subject: string;
  readonly feature: Float64Array;
}

export interface RetrievalScore {
  readonly count: number;
  /** Share of drawings whose nearest real picture, or one of the five nearest, has their subject; 0 to 1. */
  readonly top1: number;
  readonly top5: number;
  /** Of each drawing: its subject, the rank of the right picture from 1, and the subject of the nearest. */
  readonly rows: readonly { readonly subject: string; readonly rank: number; readonly nearest: string }[];
}

/**
 * Ranks all real pictures by distance for each drawing.
 * @throws InputError when a drawing's subject has no real picture, or there is nothing to score.
 */
export function retrievalScore(
  drawn: readonly LabelledFeature[],
  real: readonly LabelledFeature[],
): RetrievalScore {
  if (drawn.length === 0) throw new InputError("no drawings to score", { where: "score" });
  const rows = drawn.map(({ subject, feature }) => {
    const distances = real.map((entry) => featureDistance(feature, entry.feature));
    const own = Math.min(...distances.filter((_distance, index) => real[index]?.subject === subject));
    if (!Number.isFinite(own)) throw new InputError(`no real picture of "${subject}"`, { where: "score" });
    const nearest = real[distances.indexOf(Math.min(...distances))]?.subject ?? "";
    return { subject, rank: 1 + distances.filter((distance) => distance < own).length, nearest };
  });
  const share = (limit: number): number => rows.filter(({ rank }) => rank <= limit).length / rows.length;
  return { count: rows.length, top1: share(1), top5: share(5), rows };
}
