/** @file The flow-matching error of the image head on tokens that are known (docs/nextstep-spec.md 4.5). */
import { add, mul, square, sub } from "../graph/operators/elementwise.ts";
import { reduceMean } from "../graph/operators/reduce.ts";
import { reshape } from "../graph/operators/reshape.ts";
import { multiplySizes } from "../graph/size.ts";
import type { Value } from "../graph/value.ts";
import { imageOut } from "./backbone.ts";
import { type NextStepConfig, tokenWidth } from "./config.ts";
import { conditionEmbedding, flowModulations, flowNet, timeEmbedding } from "./flow-head.ts";
import type { ParameterScope } from "./parameter-scope.ts";

/** Tokens, and points on the straight paths that lead to them from noise. */
export interface FlowPaths {
  /** States that predict the tokens. [tokens, D] */
  readonly hidden: Value;
  /** In (0, 1), 1 being the token. [tokens, repeats] */
  readonly times: Value;
  /** The tokens. [tokens, 64] */
  readonly clean: Value;
  /** Where each path begins. [tokens, repeats, 64] */
  readonly noise: Value;
}

/** Mean squared error of the predicted velocity at each time of each token. [tokens * repeats] */
export function flowErrors(scope: ParameterScope, config: NextStepConfig, paths: FlowPaths): Value {
  const { predicted, velocity } = flowVelocities(scope, config, paths);
  return reduceMean(square(sub(predicted, velocity)), [-1]);
}

/**
 * The predicted velocity at each time of each token, and the path's own. The condition does not depend on the time, so its
 * embedding is computed once a token, not once a time.
 * @returns both [tokens * repeats, 64]
 */
export function flowVelocities(
  scope: ParameterScope,
  config: NextStepConfig,
  { hidden, times, clean, noise }: FlowPaths,
): { readonly predicted: Value; readonly velocity: Value } {
  const width = tokenWidth(config);
  const { headWidth } = config;
  const [count = 0, repeats = 0] = times.shape;
  const all = multiplySizes(repeats, count);
  const condition = conditionEmbedding(scope, config, imageOut(scope, config, hidden)); // [tokens, headWidth]
  const time = reshape(timeEmbedding(scope, config, reshape(times, [all])), [count, repeats, headWidth]);
  const y = reshape(add(time, reshape(condition, [count, 1, headWidth])), [all, headWidth]);
  const velocity = sub(reshape(clean, [count, 1, width]), noise); // [tokens, repeats, 64]
  const noisy = add(noise, mul(velocity, reshape(times, [count, repeats, 1]))); // t x + (1 - t) n
  const predicted = flowNet(scope, config, reshape(noisy, [all, width]), flowModulations(scope, config, y));
  return { predicted, velocity: reshape(velocity, [all, width]) };
}
