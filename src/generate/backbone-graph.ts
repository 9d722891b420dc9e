/**
 * @file The backbone as generation runs it: text and image tokens mixed, continuing a cache. Prefill and single steps
 * are the same graph at other sizes, so that one session serves both and the weights are packed once.
 */
import { type OnnxModel, writeOnnx } from "../graph/onnx-writer.ts";
import { add, mul, neg, shift } from "../graph/operators/elementwise.ts";
import { gatherRows } from "../graph/operators/gather.ts";
import { reshape } from "../graph/operators/reshape.ts";
import { input, type Value } from "../graph/value.ts";
import { chosenDelta } from "../model/adapter.ts";
import { backbone, imageIn } from "../model/backbone.ts";
import { type NextStepConfig, tokenWidth } from "../model/config.ts";
import { ParameterScope } from "../model/parameter-scope.ts";
import type { WeightPlan } from "../model/weight-format.ts";

/** Names of a layer's cache inputs, and of the outputs that extend it. */
export const cacheNames = (layer: number) =>
  ({
    keys: `keys.${layer}`,
    values: `values.${layer}`,
    newKeys: `new_keys.${layer}`,
    newValues: `new_values.${layer}`,
  }) as const;

/** Input of a graph with adapters: the place in their tables of each row. int64 [rows] */
export const ADAPTER_OF_ROW = "adapter_of_row";

const NO_LINEARS: ReadonlySet<string> = new Set();

/**
 * Inputs: `text` [rows, tokens, D], rows of the vocabulary's table, which is no part of the graph: a step needs one row of
 * each text token, an image none; `images` [rows, tokens, 64] and `is_image` [rows, tokens, 1], 1 where the image token
 * counts instead; `positions` int64 [rows, tokens]; `cosines`, `sines` [positions, headDim / 2];
 * `mask` [rows, 1, tokens, past + tokens]; caches [rows, kvHeads, past, headDim]; `replay` bool [] and `places` int64
 * [rows, tokens], see Replay in model/backbone.ts; `picks` int64 [picked], places row * tokens + token. Outputs: `hidden` [picked, D] after the final norm, and the new keys and values of each layer.
 * @param adapted linears beside which adapters may stand: {@link ADAPTER_OF_ROW} and tables are inputs, too.
 */
export function backboneGraph(
  config: NextStepConfig,
  plan?: WeightPlan,
  adapted: ReadonlySet<string> = NO_LINEARS,
): OnnxModel {
  const places = input(ADAPTER_OF_ROW, "int64", ["rows"]);
  const scope = new ParameterScope(
    plan,
    chosenDelta(adapted, () => places),
  );
  return writeOnnx(backboneValues(scope, config), { parameters: "initializers" });
}

/** The outputs of {@link backboneGraph}. */
export function backboneValues(scope: ParameterScope, config: NextStepConfig): Record<string, Value> {
  const half = config.headDim / 2;
  const width = tokenWidth(config);
  const isImage = input("is_image", "float32", ["rows", "tokens", 1]);
  const text = input("text", "float32", ["rows", "tokens", config.hiddenSize]);
  const image = imageIn(scope, config, input("images", "float32", ["rows", "tokens", width]));
  const cache = (part: "keys" | "values"): Value[] =>
    Array.from({ length: config.layers }, (_, layer) =>
      input(cacheNames(layer)[part], "float32", ["rows", config.kvHeads, "past", config.headDim]),
    );
  const { hidden, keys, values } = backbone(scope, config, {
    // Factors of exactly 0 and 1 choose without rounding.
    embeds: add(mul(text, shift(neg(isImage), 1)), mul(image, isImage)), // [rows, tokens, D]
    positions: input("positions", "int64", ["rows", "tokens"]),
    cosines: input("cosines", "float32", ["positions", half]),
    sines: input("sines", "float32", ["positions", half]),
    mask: input("mask", "float32", ["rows", 1, "tokens", "past+tokens"]),
    cache: { keys: cache("keys"), values: cache("values") },
    replay: { on: input("replay", "bool", []), places: input("places", "int64", ["rows", "tokens"]) },
  });
  const table = reshape(hidden, ["rows*tokens", config.hiddenSize]);
  const outputs: Record<string, Value> = { hidden: gatherRows(table, input("picks", "int64", ["picked"])) };
  keys.forEach((key, layer) => {
    outputs[cacheNames(layer).newKeys] = key;
    outputs[cacheNames(layer).newValues] = values[layer] as Value;
  });
  return outputs;
}
