/**
 * @file Preference optimisation on the flow loss as a graph (Diffusion-DPO, arXiv 2311.12908, eq. 14): a picture's likelihood is
 * taken for its flow loss, whose rise above a frozen reference is to be lower for winners than for losers.
 */

import { zeros } from "../../graph/operators/broadcast.ts";
import { clamp } from "../../graph/operators/clamp.ts";
import { mul, neg, scale, sign, sub } from "../../graph/operators/elementwise.ts";
import { concat, split } from "../../graph/operators/layout.ts";
import { matmul } from "../../graph/operators/matmul.ts";
import { sum } from "../../graph/operators/reduce.ts";
import { reshape } from "../../graph/operators/reshape.ts";
import { logSoftmax } from "../../graph/operators/softmax.ts";
import { sizeOf } from "../../graph/size.ts";
import { input, type Value } from "../../graph/value.ts";
import type { BackboneOptions } from "../../model/backbone.ts";
import type { NextStepConfig } from "../../model/config.ts";
import { ParameterScope } from "../../model/parameter-scope.ts";
import { type FrozenBase, trainedParameters } from "../objective/frozen-base.ts";
import type { LossGraph } from "../objective/gradient-session.ts";
import { predictedErrors, predictingStates } from "../objective/training-graph.ts";

/**
 * What is made large of the logit z of a pair: log sigmoid z (DPO), or z itself, which has no end and pushes losers away as long
 * as it is trained.
 */
export const UTILITIES = ["sigmoid", "linear"] as const;
export type Utility = (typeof UTILITIES)[number];

export interface PreferenceSettings {
  readonly utility: Utility;
  /** How much a rise of the flow loss counts: large values keep the model near the reference. */
  readonly beta: number;
}

/** Sums over pairs. */
export const SUMS = {
  right: "right_sum",
  margin: "margin_sum",
  winner: "winner_sum",
  loser: "loser_sum",
  winnerRise: "winner_rise_sum",
  loserRise: "loser_rise_sum",
} as const;

/** @param isOrdered whether pictures are learnt in a drawing order, each row with a mask of its own. */
export interface PreferenceParts {
  readonly isOrdered: boolean;
}

/**
 * The flow loss of each picture: the mean over its tokens and their times, in rows of winner and loser. Inputs are those of the
 * training graph that the image loss needs, but without predicted text, and `picture_means` [2 pairs, predictions * repeats]:
 * 1 / (tokens * repeats) where an error is the picture's, else 0.
 * @returns [pairs, 2]
 */
export function pairErrors(
  scope: ParameterScope,
  config: NextStepConfig,
  { isOrdered }: PreferenceParts,
  options: BackboneOptions = {},
): Value {
  const parts = { images: true, imageLoss: true, maskPerRow: isOrdered };
  const hidden = predictingStates(scope, config, parts, { count: "predictions", ...options });
  const errors = predictedErrors(scope, config, hidden); // [predictions * repeats]
  const count = sizeOf(errors.shape);
  const means = matmul(input("picture_means", "float32", ["2*pairs", count]), reshape(errors, [count, 1])); // [2 pairs, 1]
  return reshape(means, ["pairs", 2]);
}

/**
 * The graph of the loss -U(z) of pairs, summed and multiplied by `pair_share`, 1 / pairs of the update:
 * z = beta / 2 * ((loser - loser's reference) - (winner - winner's reference)), of flow losses. Inputs as for
 * {@link pairErrors}, and `reference` [pairs, 2], the flow losses of the reference under the same times and noise.
 */
export function preferenceGraph(
  config: NextStepConfig,
  parts: PreferenceParts,
  { utility, beta }: PreferenceSettings,
  base?: FrozenBase,
  options: BackboneOptions = {},
): LossGraph {
  const scope = base?.scope() ?? new ParameterScope();
  const errors = pairErrors(scope, config, parts, options);
  const parameters = trainedParameters(scope, base);
  const [winner, loser] = columns(errors);
  const [winnerRise, loserRise] = columns(sub(errors, input("reference", "float32", ["pairs", 2])));
  const logits = scale(sub(loserRise, winnerRise), beta / 2); // [pairs, 1]
  return {
    loss: mul(sum(lossOf(logits, utility)), input("pair_share", "float32", [])),
    metrics: {
      [SUMS.right]: sum(clamp(sign(logits), 0, 1)),
      [SUMS.margin]: sum(logits),
      [SUMS.winner]: sum(winner),
      [SUMS.loser]: sum(loser),
      [SUMS.winnerRise]: sum(winnerRise),
      [SUMS.loserRise]: sum(loserRise),
    },
    parameters,
  };
}

/** [pairs, 2] -> two of [pairs, 1] */
function columns(x: Value): [Value, Value] {
  return split(x, 1, [1, 1]) as [Value, Value];
}

/** [pairs, 1] -> [pairs, 1]; the logarithm of a sigmoid is that of a softmax beside 0, which never overflows. */
function lossOf(logits: Value, utility: Utility): Value {
  if (utility === "linear") return neg(logits);
  const [logSigmoid] = columns(logSoftmax(concat([logits, zeros(["pairs", 1])], 1)));
  return neg(logSigmoid);
}
