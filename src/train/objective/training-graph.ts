/**
 * @file The training objective as a graph: text and image tokens in one sequence, cross-entropy on text, flow
 * matching on image tokens (docs/nextstep-spec.md 4.5).
 */
import { add, mul, neg, square, sub } from "../../graph/operators/elementwise.ts";
import { pickLast } from "../../graph/operators/gather.ts";
import { concat, split } from "../../graph/operators/layout.ts";
import { reduceMean, sum } from "../../graph/operators/reduce.ts";
import { reshape } from "../../graph/operators/reshape.ts";
import { selectRows } from "../../graph/operators/select-rows.ts";
import { logSoftmax } from "../../graph/operators/softmax.ts";
import { addSizes, type Dim, multiplySizes } from "../../graph/size.ts";
import { input, type Value } from "../../graph/value.ts";
import { type BackboneOptions, backbone, embedTokens, imageIn, lmHead } from "../../model/backbone.ts";
import { type NextStepConfig, tokenWidth } from "../../model/config.ts";
import { type FlowPaths, flowErrors, flowVelocities } from "../../model/flow-loss.ts";
import { ParameterScope } from "../../model/parameter-scope.ts";
import { type FrozenBase, trainedParameters } from "./frozen-base.ts";
import type { LossGraph } from "./gradient-session.ts";

/** What a batch consists of; another set of parts is another graph. */
export interface TrainingParts {
  /** There are image tokens to read. */
  readonly images: boolean;
  /** There are image tokens to predict: the flow head and its condition are trained. */
  readonly imageLoss: boolean;
  /** Each row has a mask of its own, instead of one causal mask for all: for isolated samples and drawing orders. */
  readonly maskPerRow: boolean;
}

export interface TrainingGraphOptions extends BackboneOptions {
  /** There may be pictures that are learnt as the base predicts them, without what is trained beside it. */
  readonly asBase?: boolean;
}

/** Sums over a batch, from which the two losses follow: a batch's counts are known outside. */
export const LM_SUM = "lm_sum";
export const IMAGE_SUM = "image_sum";

/**
 * The graph of `loss = lm_factor * lm_sum + image_factor * image_sum` with inputs, all without a name's prefix:
 * - `text_ids` int64 [texts], `read_tokens` [images, 64]: the text ids and the image tokens of all rows, row by row, and
 *   behind them the stand-ins of drawing orders.
 * - `source` int64 [rows, tokens]: the row of concat(text, image) that stands at a position; `source_places` int64
 *   [texts + images] is its inverse.
 * - `positions` int64 [rows, tokens], `cosines` and `sines` [positions, headDim / 2], `mask` as the backbone takes it.
 * - `predicting` int64 [predictions + lm]: positions (row * tokens + column) from which a token is predicted, image
 *   tokens first; `predicting_places` int64 [rows * tokens] its inverse (the number of predictions where none is).
 * - `labels` int64 [lm]; `targets` [predictions, 64] clean tokens; `times` [predictions, repeats], `noise`
 *   [predictions, repeats, 64]: every image token is trained at `repeats` times of its own.
 * - `as_base` [predictions, 1, 1], where there are such pictures: 1 for their tokens, whose targets are the velocities that the
 *   base predicts, else 0; `error_weights` [predictions, 1, 1], there too: how much each token's errors count.
 * - `lm_factor`, `image_factor`: scalars, weight / count.
 *
 * The parameters are those that the loss depends on.
 * @param base Default: all weights are trained. Pictures can be learnt as a base alone predicts them.
 */
export function trainingGraph(
  config: NextStepConfig,
  parts: TrainingParts,
  base?: FrozenBase,
  { asBase = false, ...options }: TrainingGraphOptions = {},
): LossGraph {
  const scope = base?.scope() ?? new ParameterScope();
  const states = predictingStates(scope, config, parts, options);
  const [imageHidden, lmHidden] = parts.imageLoss
    ? (split(states, 0, ["predictions", "lm"]) as [Value, Value])
    : [undefined, states];
  const lmSum = lmLossSum(scope, config, lmHidden);
  const lmPart = mul(lmSum, input("lm_factor", "float32", []));
  if (imageHidden === undefined) {
    return { loss: lmPart, metrics: { [LM_SUM]: lmSum }, parameters: trainedParameters(scope, base) };
  }
  const errors = asBase
    ? errorsBesideBase(scope, config, parts, imageHidden, options)
    : predictedErrors(scope, config, imageHidden);
  const imageSum = sum(errors);
  return {
    loss: add(lmPart, mul(imageSum, input("image_factor", "float32", []))),
    metrics: { [LM_SUM]: lmSum, [IMAGE_SUM]: imageSum },
    parameters: trainedParameters(scope, base),
  };
}

export interface PredictingOptions extends BackboneOptions {
  /** Positions that states are wanted of. Default: predictions + lm. */
  readonly count?: Dim;
}

/** The hidden states of {@link trainingGraph} that tokens are predicted from, image tokens first. [count, D] */
export function predictingStates(
  scope: ParameterScope,
  config: NextStepConfig,
  parts: TrainingParts,
  { count = addSizes(parts.imageLoss ? "predictions" : 0, "lm"), ...options }: PredictingOptions = {},
): Value {
  const width = tokenWidth(config);
  const half = config.headDim / 2;
  const textEmbeds = embedTokens(scope, config, input("text_ids", "int64", ["texts"])); // [texts, D]
  const embeds = parts.images
    ? concat([textEmbeds, imageIn(scope, config, input("read_tokens", "float32", ["images", width]))], 0)
    : textEmbeds;
  const placed = selectRows(
    embeds,
    input("source", "int64", ["rows", "tokens"]),
    input("source_places", "int64", [embeds.shape[0] ?? 0]),
  ); // [rows, tokens, D]
  const inputs = {
    embeds: placed,
    positions: input("positions", "int64", ["rows", "tokens"]),
    cosines: input("cosines", "float32", ["positions", half]),
    sines: input("sines", "float32", ["positions", half]),
    mask: input("mask", "float32", [parts.maskPerRow ? "rows" : 1, 1, "tokens", "tokens"]),
  };
  const { hidden } = backbone(scope, config, inputs, options);
  const positions = multiplySizes("rows", "tokens");
  return selectRows(
    reshape(hidden, [positions, config.hiddenSize]),
    input("predicting", "int64", [count]),
    input("predicting_places", "int64", [positions]),
  );
}

/** Sum of the cross-entropies of the `labels`. hidden [lm, D] -> [] */
function lmLossSum(scope: ParameterScope, config: NextStepConfig, hidden: Value): Value {
  const logProbabilities = logSoftmax(lmHead(scope, config, hidden)); // [lm, vocab]
  return neg(sum(pickLast(logProbabilities, input("labels", "int64", ["lm"]))));
}

/**
 * Mean squared errors of the velocities of image tokens, from the inputs `targets`, `times` and `noise`. hidden [predictions,
 * D] -> [predictions * repeats]
 */
export function predictedErrors(scope: ParameterScope, config: NextStepConfig, hidden: Value): Value {
  return flowErrors(scope, config, predictedPaths(config, hidden));
}

function predictedPaths(config: NextStepConfig, hidden: Value): FlowPaths {
  const width = tokenWidth(config);
  const { headBatchMultiplier: repeats } = config;
  const count = hidden.shape[0] ?? 0;
  return {
    hidden,
    times: input("times", "float32", [count, repeats]),
    clean: input("targets", "float32", [count, width]),
    noise: input("noise", "float32", [count, repeats, width]),
  };
}

/**
 * As {@link predictedErrors}, but tokens of which `as_base` is 1 have the velocity for a target that the base predicts from what
 * the base has read. hidden [predictions, D] -> [predictions * repeats]
 */
function errorsBesideBase(
  scope: ParameterScope,
  config: NextStepConfig,
  parts: TrainingParts,
  hidden: Value,
  options: BackboneOptions,
): Value {
  const base = scope.withoutDelta();
  const [baseHidden] = split(predictingStates(base, config, parts, options), 0, ["predictions", "lm"]);
  const { predicted, velocity } = flowVelocities(scope, config, predictedPaths(config, hidden));
  const own = flowVelocities(base, config, predictedPaths(config, baseHidden as Value)).predicted;
  const shape = ["predictions", config.headBatchMultiplier, tokenWidth(config)] as const;
  const asBase = input("as_base", "float32", ["predictions", 1, 1]);
  const change = mul(asBase, reshape(sub(own, velocity), shape)); // [predictions, repeats, 64]
  const missed = sub(reshape(sub(predicted, velocity), shape), change);
  const errors = reduceMean(square(missed), [-1], { keepDims: true }); // [predictions, repeats, 1]
  const weighted = mul(errors, input("error_weights", "float32", ["predictions", 1, 1]));
  return reshape(weighted, [multiplySizes("predictions", config.headBatchMultiplier)]);
}
