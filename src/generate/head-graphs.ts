/** @file What stands on the hidden states: the image head in two parts, and the LM head. */
import { type OnnxModel, writeOnnx } from "../graph/onnx-writer.ts";
import { input, type Value } from "../graph/value.ts";
import { imageOut, lmHead } from "../model/backbone.ts";
import { type NextStepConfig, tokenWidth } from "../model/config.ts";
import { conditionEmbedding } from "../model/flow-head.ts";
import { flowSampler } from "../model/flow-sampler.ts";
import { ParameterScope } from "../model/parameter-scope.ts";
import type { WeightPlan } from "../model/weight-format.ts";

/**
 * Solver steps of one run of {@link solverGraph}. Most published numbers of steps are multiples of it (16, 20, 28, of 50
 * not quite), and a chunk is long enough that starting a run costs little beside it.
 */
export const SOLVER_CHUNK = 4;

/** Branches that guidance can add up: condition, image-only, none. */
export const BRANCHES = 3;

/**
 * What is done once a token. Input: `hidden` [rows, D], the states that predict the token. Output: `condition`
 * [rows, headWidth].
 */
export function conditionGraph(config: NextStepConfig, plan?: WeightPlan): OnnxModel {
  const scope = new ParameterScope(plan);
  const hidden = input("hidden", "float32", ["rows", config.hiddenSize]);
  const condition = conditionEmbedding(scope, config, imageOut(scope, config, hidden));
  return writeOnnx({ condition }, { parameters: "initializers" });
}

/**
 * {@link SOLVER_CHUNK} steps of every picture's solver. Inputs, see SamplerInputs: `state` [pictures, 64], `condition`
 * [rows, headWidth], `picture_of_row` int64 [rows], `times`, `a`, `b`, `c` [steps, pictures], `branch_rows` int64 and
 * `weights` [3, pictures], `noise` [steps, pictures, 64]. Output: `state` after the steps, as `next` [pictures, 64].
 */
export function solverGraph(
  config: NextStepConfig,
  plan?: WeightPlan,
  steps: number = SOLVER_CHUNK,
): OnnxModel {
  const width = tokenWidth(config);
  const table = (name: string): Value => input(name, "float32", [steps, "pictures"]);
  const { states } = flowSampler(new ParameterScope(plan), config, steps, {
    state: input("state", "float32", ["pictures", width]),
    condition: input("condition", "float32", ["rows", config.headWidth]),
    pictureOfRow: input("picture_of_row", "int64", ["rows"]),
    times: table("times"),
    a: table("a"),
    b: table("b"),
    c: table("c"),
    branchRows: input("branch_rows", "int64", [BRANCHES, "pictures"]),
    weights: input("weights", "float32", [BRANCHES, "pictures"]),
    noise: input("noise", "float32", [steps, "pictures", width]),
  });
  return writeOnnx({ next: states.at(-1) as Value }, { parameters: "initializers" });
}

/** Input: `hidden` [rows, D]. Output: `logits` [rows, vocabulary]. */
export function lmHeadGraph(config: NextStepConfig, plan?: WeightPlan): OnnxModel {
  const scope = new ParameterScope(plan);
  const logits = lmHead(scope, config, input("hidden", "float32", ["rows", config.hiddenSize]));
  return writeOnnx({ logits }, { parameters: "initializers" });
}
