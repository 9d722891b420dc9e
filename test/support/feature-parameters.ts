/** @file The weights that a net of perceptual features asks for. */
import { type FeatureNetConfig, featureLayers } from "../../src/model/feature-net.ts";
import type { ParameterSpec } from "../../src/model/parameter-scope.ts";

/** Weights and offsets as graphs name them. */
export function featureParameters(config: FeatureNetConfig): ParameterSpec[] {
  return featureLayers(config).flatMap(({ name, shape }) => [
    { name: `${name}.weight`, shape },
    { name: `${name}.bias`, shape: [shape[0]] },
  ]);
}
