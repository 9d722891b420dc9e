/** @file What stands on the hidden states: the image head under its solver, and the LM head. */
import { type OnnxModel, writeOnnx } from "../graph/onnx-writer.ts";
import { expand } from "../graph/operators/broadcast.ts";
import { gatherRows } from "../graph/operators/gather.ts";
import { concat, slice } from "../graph/operators/layout.ts";
import { reshape } from "../graph/operators/reshape.ts";
import { addSizes, type Dim, multiplySizes } from "../graph/size.ts";
import { input, shapeError, type Value } from "../graph/value.ts";
import { chosenDelta } from "../model/adapter.ts";
import { imageOut, lmHead } from "../model/backbone.ts";
import { type NextStepConfig, tokenWidth } from "../model/config.ts";
import { conditionEmbedding } from "../model/flow-head.ts";
import { flowErrors } from "../model/flow-loss.ts";
import { flowSampler } from "../model/flow-sampler.ts";
import { ParameterScope } from "../model/parameter-scope.ts";
import type { WeightPlan } from "../model/weight-format.ts";

/** Branches that guidance can add up: condition, image-only, none. */
export const BRANCHES = 3;

/** Input of a graph with adapters: the place in their tables of each picture. int64 [pictures] */
export const ADAPTER_OF_PICTURE = "adapter_of_picture";

const NO_LINEARS: ReadonlySet<string> = new Set();

/**
 * Steps of every picture's solver. What the hidden states that predict the tokens come to is worked out once a token: a
 * token's first run is given them as `hidden` [told, D] and no rows of `kept`, others no rows of `hidden`, and as `kept`
 * [kept, headWidth] the output `condition` of the first. One session for both: each has threads of its own, which go on
 * looking for work for a while and stand in the way of another's.
 *
 * Other inputs, see SamplerInputs: `state` [pictures, 64], `picture_of_row` int64 [kept + told], `times`, `a`, `b`, `c`
 * [steps, pictures], `branch_rows` int64 and `weights` [3, pictures], `noise` [steps, pictures, 64]. Outputs: `condition`
 * [kept + told, headWidth], and `next` [pictures, 64], the state after the steps; `states` [steps, pictures, 64] and
 * `velocities` [steps, kept + told, 64] of each step for who wants to know, see SamplerOutputs.
 * @param adapted linears beside which adapters may stand: {@link ADAPTER_OF_PICTURE} and tables are inputs, too.
 */
export function imageHeadGraph(
  config: NextStepConfig,
  plan?: WeightPlan,
  adapted: ReadonlySet<string> = NO_LINEARS,
): OnnxModel {
  const pictureOfRow = input("picture_of_row", "int64", ["kept+told"]);
  const scope = new ParameterScope(plan, chosenDelta(adapted, headPlaces(pictureOfRow)));
  const width = tokenWidth(config);
  const table = (name: string): Value => input(name, "float32", ["steps", "pictures"]);
  const hidden = input("hidden", "float32", ["told", config.hiddenSize]);
  const kept = input("kept", "float32", ["kept", config.headWidth]);
  const condition = concat([conditionEmbedding(scope, config, imageOut(scope, config, hidden)), kept], 0);
  const { last, states, velocities } = flowSampler(scope, config, {
    state: input("state", "float32", ["pictures", width]),
    condition,
    pictureOfRow,
    times: table("times"),
    a: table("a"),
    b: table("b"),
    c: table("c"),
    branchRows: input("branch_rows", "int64", [BRANCHES, "pictures"]),
    weights: input("weights", "float32", [BRANCHES, "pictures"]),
    noise: input("noise", "float32", ["steps", "pictures", width]),
  });
  return writeOnnx({ condition, next: last, states, velocities }, { parameters: "initializers" });
}

/**
 * Places of the head's rows, by how many these are: pictures, or rows of pictures, of all steps one behind the other; rows of
 * one step; those whose hidden states are given, which stand in front of the others.
 */
function headPlaces(pictureOfRow: Value): (rows: Dim) => Value {
  const ofPicture = input(ADAPTER_OF_PICTURE, "int64", ["pictures"]);
  const ofRow = gatherRows(ofPicture, pictureOfRow);
  const rows = addSizes("kept", "told");
  const repeated = (places: Value, count: Dim): readonly [Dim, Value] => {
    const all = multiplySizes("steps", count);
    return [all, reshape(expand(places, ["steps", count]), [all])];
  };
  const known = new Map<Dim, Value>([
    ["told", slice(ofRow, { axis: 0, start: 0, end: "told" })],
    repeated(ofPicture, "pictures"),
    repeated(ofRow, rows),
    [rows, ofRow],
  ]);
  return (size) => {
    const places = known.get(size);
    if (places === undefined) throw shapeError("image head", `no picture is known of ${size} rows`);
    return places;
  };
}

/** Input of a graph with adapters: the place in their tables, the same for all rows. int64 [repeats * tokens] */
export const ADAPTER_OF_ERROR = "adapter_of_error";

/**
 * How far off the image head's velocities are on tokens that are known, see FlowPaths. Inputs: `hidden` [tokens, D], `times`
 * [tokens, repeats], `clean` [tokens, 64], `noise` [tokens, repeats, 64]. Output: `errors` [tokens * repeats].
 * @param adapted linears beside which adapters may stand: {@link ADAPTER_OF_ERROR} and tables are inputs, too.
 */
export function flowErrorGraph(
  config: NextStepConfig,
  plan?: WeightPlan,
  adapted: ReadonlySet<string> = NO_LINEARS,
): OnnxModel {
  const rows = multiplySizes("repeats", "tokens");
  const places = input(ADAPTER_OF_ERROR, "int64", [rows]);
  const placesOf = (size: Dim): Value =>
    size === rows ? places : slice(places, { axis: 0, start: 0, end: "tokens" });
  const scope = new ParameterScope(plan, chosenDelta(adapted, placesOf));
  const width = tokenWidth(config);
  const errors = flowErrors(scope, config, {
    hidden: input("hidden", "float32", ["tokens", config.hiddenSize]),
    times: input("times", "float32", ["tokens", "repeats"]),
    clean: input("clean", "float32", ["tokens", width]),
    noise: input("noise", "float32", ["tokens", "repeats", width]),
  });
  return writeOnnx({ errors }, { parameters: "initializers" });
}

/** Input: `hidden` [rows, D]. Output: `logits` [rows, vocabulary]. */
export function lmHeadGraph(config: NextStepConfig, plan?: WeightPlan): OnnxModel {
  const scope = new ParameterScope(plan);
  const logits = lmHead(scope, config, input("hidden", "float32", ["rows", config.hiddenSize]));
  return writeOnnx({ logits }, { parameters: "initializers" });
}
