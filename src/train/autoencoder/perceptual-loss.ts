/** @file How differently two pictures look to a classification net. */
import { abs, add, div, scale, shift, sub } from "../../graph/operators/elementwise.ts";
import { mean } from "../../graph/operators/reduce.ts";
import type { Value } from "../../graph/value.ts";
import { type FeatureNetConfig, featureMaps } from "../../model/feature-net.ts";
import { ParameterScope } from "../../model/parameter-scope.ts";

/** Keeps a plain picture's features from dividing by nearly nothing. */
const LEAST_SIZE = 1e-3;

/**
 * Mean over the net's taps of L1 between the features, each relative to the size of the target's.
 * reconstruction, target [pictures, 3, height, width] in [-1, 1] -> scalar. The net's weights are parameters of the
 * graph, under the names of {@link FeatureNetConfig}'s layers, and are not trained.
 */
export function perceptualLoss(net: FeatureNetConfig, reconstruction: Value, target: Value): Value {
  const scope = new ParameterScope();
  const wanted = featureMaps(scope, net, target);
  const found = featureMaps(scope, net, reconstruction);
  const distances = wanted.map((map, tap) =>
    div(mean(abs(sub(found[tap]!, map))), shift(mean(abs(map)), LEAST_SIZE)),
  );
  return scale(
    distances.reduce((total, distance) => add(total, distance)),
    1 / distances.length,
  );
}
