/**
 * @file The loss of reward learning as a graph. What was drawn token by token is read again in one pass, as training reads,
 * and the image head is asked for each token at the solver steps that are learnt from, with the state that the token was in
 * (Flow-GRPO, arXiv 2505.05470, over tokens instead of whole pictures). The backbone runs once for all of these steps.
 */
import { writeOnnx } from "../../graph/onnx-writer.ts";
import { add, exp, mul, neg, square, sub } from "../../graph/operators/elementwise.ts";
import { reduceMean, sum } from "../../graph/operators/reduce.ts";
import { reshape } from "../../graph/operators/reshape.ts";
import { multiplySizes } from "../../graph/size.ts";
import { input, type Value } from "../../graph/value.ts";
import { imageOut } from "../../model/backbone.ts";
import { type NextStepConfig, tokenWidth } from "../../model/config.ts";
import { conditionEmbedding, flowModulations, flowNet, timeEmbedding } from "../../model/flow-head.ts";
import { ParameterScope } from "../../model/parameter-scope.ts";
import type { WeightPlan } from "../../model/weight-format.ts";
import type { Engine, Session, WeightSource } from "../../runtime/engine.ts";
import { type FrozenBase, trainedParameters } from "../objective/frozen-base.ts";
import type { LossGraph } from "../objective/gradient-session.ts";
import { predictingStates } from "../objective/training-graph.ts";

export interface ReplayParts {
  /** Each row has a mask of its own: for pictures whose rows are drawn staggered. */
  readonly maskPerRow: boolean;
  /** Something pulls towards the base. */
  readonly pulls: boolean;
  /** Layers are computed anew for the gradient. */
  readonly gradientCheckpointing?: boolean;
}

/** Sum over tokens and steps of the squared difference between the log-probability of the replay and that of the drawing. */
export const REPLAY_SQUARES = "replay_squares";
/** Share of the mean distance to the base. */
export const DISTANCE = "distance";

/**
 * Inputs beside those of the sequence (predictingStates): `states` and `next` [rows, cells, steps, 64], where each token
 * stood before and behind each step; `times` [steps], `a`, `b` [steps, 1], the steps' rows of the solver's table;
 * `drawn_logs` [rows, cells, steps], the log-probabilities of the drawing; `advantages` [rows, 1], divided by the pictures
 * and steps of the update.
 *
 * log p(x' | x) of a token is -mean (x' - (a x + b v))² over its numbers: the logarithm of the normal density of the sampler
 * `cps` without its constants and without 1 / (2 σ²), which would weigh late steps hundreds of times as much as early ones
 * (Coefficients-Preserving Sampling, arXiv 2509.05952, and the published code of Flow-GRPO). That of a picture is the mean
 * over its tokens. The loss is - sum of advantage * exp(log p - its value when drawn) over pictures and steps: the ratio is 1
 * up to rounding, since the weights are those that drew, and what counts is its gradient.
 *
 * Where something pulls: `base_velocities` [rows, cells, steps, 64], those of the base; `distance_factors` [steps],
 * b² / (2 σ²) over the pictures and steps of the update, with which the mean square of v - v_base is the divergence of the
 * two normal densities; and `pull` [], its weight in the loss.
 * @param base Default: all weights are trained.
 */
export function replayGraph(config: NextStepConfig, parts: ReplayParts, base?: FrozenBase): LossGraph {
  const scope = base?.scope() ?? new ParameterScope();
  const shape = ["rows", "cells", "steps", tokenWidth(config)];
  const velocities = replayedVelocities(scope, config, parts);
  const states = input("states", "float32", shape);
  const mean = add(
    mul(states, input("a", "float32", ["steps", 1])),
    mul(velocities, input("b", "float32", ["steps", 1])),
  );
  const logs = neg(reduceMean(square(sub(input("next", "float32", shape), mean)), [3])); // [rows, cells, steps]
  const change = sub(logs, input("drawn_logs", "float32", ["rows", "cells", "steps"]));
  const ratios = exp(reduceMean(change, [1])); // [rows, steps]
  const gained = neg(sum(mul(input("advantages", "float32", ["rows", 1]), ratios)));
  const metrics = { [REPLAY_SQUARES]: sum(square(change)) };
  if (!parts.pulls) return { loss: gained, metrics, parameters: trainedParameters(scope, base) };
  const off = reduceMean(square(sub(velocities, input("base_velocities", "float32", shape))), [1, 3]); // [rows, steps]
  const distance = sum(mul(off, input("distance_factors", "float32", ["steps"])));
  return {
    loss: add(gained, mul(distance, input("pull", "float32", []))),
    metrics: { ...metrics, [DISTANCE]: distance },
    parameters: trainedParameters(scope, base),
  };
}

/** Velocities at `states` and `times` behind the sequence's states. [rows, cells, steps, 64] */
function replayedVelocities(
  scope: ParameterScope,
  config: NextStepConfig,
  { maskPerRow, gradientCheckpointing = false }: Omit<ReplayParts, "pulls">,
): Value {
  const width = tokenWidth(config);
  const tokens = multiplySizes("rows", "cells");
  const parts = { images: true, imageLoss: true, maskPerRow };
  const hidden = predictingStates(scope, config, parts, { count: tokens, gradientCheckpointing });
  const asked = multiplySizes(tokens, "steps");
  const shape = ["rows", "cells", "steps", width];
  const states = reshape(input("states", "float32", shape), [asked, width]);
  const time = timeEmbedding(scope, config, input("times", "float32", ["steps"])); // [steps, headWidth]
  const condition = conditionEmbedding(scope, config, imageOut(scope, config, hidden));
  const both = add(reshape(condition, [tokens, 1, config.headWidth]), time); // [tokens, steps, headWidth]
  const modulations = flowModulations(scope, config, reshape(both, [asked, config.headWidth]));
  return reshape(flowNet(scope, config, states, modulations), shape);
}

/** A session of the base alone, for what it would have: output `velocities` [rows, cells, steps, 64], without gradients. */
export function baseVelocities(
  engine: Engine,
  config: NextStepConfig,
  parts: Pick<ReplayParts, "maskPerRow">,
  weights: { readonly weightPlan: WeightPlan; readonly weightSource: WeightSource },
): Promise<Session> {
  const scope = new ParameterScope(weights.weightPlan);
  const graph = writeOnnx(
    { velocities: replayedVelocities(scope, config, parts) },
    { parameters: "initializers" },
  );
  return engine.createSession(graph, weights.weightSource);
}
