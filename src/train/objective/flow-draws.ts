/** @file Random times and noise of the flow-matching loss (docs/nextstep-spec.md 4.5). */
import { type NextStepConfig, tokenWidth } from "../../model/config.ts";
import { CounterRng, type CounterRngState } from "../../tensor/counter-rng.ts";
import type { FlowDraws } from "./training-feeds.ts";

/** Draws of an update's predicted image tokens, noise yet to be drawn. */
export interface PlannedFlow {
  /** [predictions * repeats], in (0, 1). */
  readonly times: Float32Array;
  readonly noise: CounterRngState;
}

/** t = sigmoid(u) with u normal, and normal noise, for each of `predictions` image tokens at each of its times. */
export function planFlow(config: NextStepConfig, predictions: number, rng: CounterRng): PlannedFlow {
  const count = predictions * config.headBatchMultiplier;
  const times = rng.fillNormal(new Float32Array(count));
  for (let i = 0; i < count; i++) times[i] = 1 / (1 + Math.exp(-times[i]!));
  return { times, noise: rng.reserveNormal(count * tokenWidth(config)) };
}

/** Draws of `predictions` image tokens from the planned one with number `first` on. */
export function flowDraws(
  config: NextStepConfig,
  { times, noise }: PlannedFlow,
  first: number,
  predictions: number,
): FlowDraws {
  const start = first * config.headBatchMultiplier;
  const count = predictions * config.headBatchMultiplier;
  const width = tokenWidth(config);
  return {
    times: times.slice(start, start + count),
    noise: normalsAt(noise, start * width, count * width),
  };
}

/** {@link planFlow} and all of its draws. */
export function drawFlow(config: NextStepConfig, predictions: number, rng: CounterRng): FlowDraws {
  return flowDraws(config, planFlow(config, predictions, rng), 0, predictions);
}

/** Normal numbers `first` to `first + count` of those that a state draws. */
function normalsAt({ key, counter }: CounterRngState, first: number, count: number): Float32Array {
  // Normals come in pairs.
  const odd = first % 2;
  const rng = CounterRng.from({ key, counter: counter + first - odd });
  return rng.fillNormal(new Float32Array(odd + count)).subarray(odd);
}
