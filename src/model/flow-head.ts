/** @file The flow-matching head: noise, time and condition to a velocity (docs/nextstep-spec.md 2.2). */
import { add, cos, mul, shift, silu, sin } from "../graph/operators/elementwise.ts";
import { concat, split } from "../graph/operators/layout.ts";
import { layerNorm } from "../graph/operators/normalization.ts";
import { reshape } from "../graph/operators/reshape.ts";
import type { Dim } from "../graph/size.ts";
import { constant, type Value } from "../graph/value.ts";
import { type NextStepConfig, tokenWidth } from "./config.ts";
import type { ParameterScope } from "./parameter-scope.ts";

const NET = "image_head.net";
/** Cosines and sines of each frequency together. */
export const TIME_FEATURES = 256;
const MAX_PERIOD = 10_000;
const EPSILON = 1e-6;

function dense(scope: ParameterScope, name: string, x: Value, outputs: number): Value {
  return scope.linear(`${NET}.${name}`, x, outputs, { bias: true });
}

/** [cos(t f_k), sin(t f_k)], f_k = 10000^(-k/128), of the raw time in [0, 1]. t [M] -> [M, 256] */
export function timeFeatures(t: Value): Value {
  const half = TIME_FEATURES / 2;
  const frequencies = Array.from({ length: half }, (_, k) => Math.exp((-Math.log(MAX_PERIOD) * k) / half));
  const angles = mul(reshape(t, [t.shape[0] as Dim, 1]), constant(frequencies, [1, half]));
  return concat([cos(angles), sin(angles)], 1);
}

/** t [M] -> [M, width] */
export function timeEmbedding(scope: ParameterScope, config: NextStepConfig, t: Value): Value {
  const inner = silu(dense(scope, "time_embed.mlp.0", timeFeatures(t), config.headWidth));
  return dense(scope, "time_embed.mlp.2", inner, config.headWidth);
}

/** Part of the modulation that the condition gives. condition [M, D] (after image_out_projector) -> [M, width] */
export function conditionEmbedding(scope: ParameterScope, config: NextStepConfig, condition: Value): Value {
  return dense(scope, "cond_embed", condition, config.headWidth);
}

/** x * (1 + scale) + shift */
function modulate(x: Value, shiftBy: Value, scaleBy: Value): Value {
  return add(mul(x, shift(scaleBy, 1)), shiftBy);
}

/**
 * The network behind its embeddings: x [M, 64], y = timeEmbedding + conditionEmbedding [M, width] -> velocity [M, 64].
 * Apart from {@link flowHead} so that the unrolled sampler computes each embedding once.
 */
export function flowNet(scope: ParameterScope, config: NextStepConfig, x: Value, y: Value): Value {
  const { headWidth, headLayers, headMlpRatio } = config;
  const inner = Math.floor(headWidth * headMlpRatio);
  const activated = silu(y);
  let state = dense(scope, "input_proj", x, headWidth);
  for (let block = 0; block < headLayers; block++) {
    const name = `res_blocks.${block}`;
    const modulation = dense(scope, `${name}.adaLN_modulation.1`, activated, 3 * headWidth);
    const [shiftBy, scaleBy, gate] = split(modulation, 1, [headWidth, headWidth, headWidth]) as [
      Value,
      Value,
      Value,
    ];
    const weight = scope.get(`${NET}.${name}.in_ln.weight`, [headWidth]);
    const bias = scope.get(`${NET}.${name}.in_ln.bias`, [headWidth]);
    const modulated = modulate(layerNorm(state, EPSILON, weight, bias), shiftBy, scaleBy);
    const hidden = silu(dense(scope, `${name}.mlp.0`, modulated, inner));
    state = add(state, mul(gate, dense(scope, `${name}.mlp.2`, hidden, headWidth)));
  }
  const modulation = dense(scope, "final_layer.adaLN_modulation.1", activated, 2 * headWidth);
  const [shiftBy, scaleBy] = split(modulation, 1, [headWidth, headWidth]) as [Value, Value];
  return dense(
    scope,
    "final_layer.linear",
    modulate(layerNorm(state, EPSILON), shiftBy, scaleBy),
    tokenWidth(config),
  );
}

/** Velocity at x and time t under a condition. x [M, 64], t [M] in [0, 1], condition [M, D] -> [M, 64] */
export function flowHead(
  scope: ParameterScope,
  config: NextStepConfig,
  x: Value,
  t: Value,
  condition: Value,
): Value {
  const y = add(timeEmbedding(scope, config, t), conditionEmbedding(scope, config, condition));
  return flowNet(scope, config, x, y);
}
