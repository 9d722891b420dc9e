/** @file Random times and noise of the flow-matching loss (docs/nextstep-spec.md 4.5). */
import { type NextStepConfig, tokenWidth } from "../../model/config.ts";
import type { CounterRng } from "../../tensor/counter-rng.ts";
import type { FlowDraws } from "./training-feeds.ts";

/** t = sigmoid(u) with u normal, and normal noise, for each of `predictions` image tokens at each of its times. */
export function drawFlow(config: NextStepConfig, predictions: number, rng: CounterRng): FlowDraws {
  const count = predictions * config.headBatchMultiplier;
  const times = rng.fillNormal(new Float32Array(count));
  for (let i = 0; i < count; i++) times[i] = 1 / (1 + Math.exp(-times[i]!));
  return { times, noise: rng.fillNormal(new Float32Array(count * tokenWidth(config))) };
}
