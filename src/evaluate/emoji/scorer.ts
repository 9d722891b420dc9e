/** @file The two ways of telling subjects apart: by the features of a net, and by shape and colour. */
import type { RgbImage } from "../../image/pixels.ts";
import { cosineDistance, type NetFeatures } from "../net-features.ts";
import { featureDistance, pictureFeature } from "../picture-feature.ts";
import type { Distance, Feature, LabelledFeature } from "../retrieval.ts";

export interface Scorer {
  /** As it stands in the rows. */
  readonly name: "net" | "shape";
  readonly distance: Distance;
  of(pictures: readonly RgbImage[]): Promise<Feature[]>;
}

export const SHAPE_SCORER: Scorer = {
  name: "shape",
  distance: featureDistance,
  of: async (pictures) => pictures.map(pictureFeature),
};

export function netScorer(net: NetFeatures): Scorer {
  return { name: "net", distance: cosineDistance, of: (pictures) => net.of(pictures) };
}

/** Features of the real picture of every known subject, as one scorer sees them. */
export type References = (scorer: Scorer) => Promise<readonly LabelledFeature[]>;
