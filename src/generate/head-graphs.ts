/** @file What stands on the hidden states: the image head with its solver, and the LM head. */
import { type OnnxModel, writeOnnx } from "../graph/onnx-writer.ts";
import { input, type Value } from "../graph/value.ts";
import { imageOut, lmHead } from "../model/backbone.ts";
import { type NextStepConfig, tokenWidth } from "../model/config.ts";
import { flowSampler } from "../model/flow-sampler.ts";
import { ParameterScope } from "../model/parameter-scope.ts";
import type { WeightPlan } from "../model/weight-format.ts";

/**
 * A whole image token. Inputs: `conditions` [branches*images, D], hidden states before image_out_projector; `times`,
 * `a`, `b`, `c` [steps]; `weights` [branches, images]; `noise` [images, steps + 1, 64]. Output: `token` [images, 64].
 */
export function imageHeadGraph(config: NextStepConfig, steps: number, plan?: WeightPlan): OnnxModel {
  const scope = new ParameterScope(plan);
  const conditions = input("conditions", "float32", ["branches*images", config.hiddenSize]);
  const table = (name: string): Value => input(name, "float32", [steps]);
  const { token } = flowSampler(scope, config, steps, {
    conditions: imageOut(scope, config, conditions),
    times: table("times"),
    a: table("a"),
    b: table("b"),
    c: table("c"),
    weights: input("weights", "float32", ["branches", "images"]),
    noise: input("noise", "float32", ["images", steps + 1, tokenWidth(config)]),
  });
  return writeOnnx({ token }, { parameters: "initializers" });
}

/** Input: `hidden` [rows, D]. Output: `logits` [rows, vocabulary]. */
export function lmHeadGraph(config: NextStepConfig, plan?: WeightPlan): OnnxModel {
  const scope = new ParameterScope(plan);
  const logits = lmHead(scope, config, input("hidden", "float32", ["rows", config.hiddenSize]));
  return writeOnnx({ logits }, { parameters: "initializers" });
}
