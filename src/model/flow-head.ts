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

/** What adaptive normalisation does to the rows in front of a layer: x * factor + offset. Each [M, width]. */
interface Modulation {
  readonly offset: Value;
  /** 1 + the scale that the network gives. */
  readonly factor: Value;
}

interface BlockModulation extends Modulation {
  /** Factor on what the block adds. [M, width] */
  readonly gate: Value;
}

/** All that the network has of time and condition, made when it is asked for: weights are listed in the order of use. */
export interface FlowModulations {
  block(index: number): BlockModulation;
  final(): Modulation;
}

/**
 * The part of the network that does not see x: y = timeEmbedding + conditionEmbedding [M, width]. Three fifths of its
 * weights, so a sampler multiplies by them once for the rows of several steps.
 */
export function flowModulations(scope: ParameterScope, config: NextStepConfig, y: Value): FlowModulations {
  const width = config.headWidth;
  const activated = silu(y);
  const parts = (name: string, count: number): readonly Value[] => {
    const all = dense(scope, `${name}.adaLN_modulation.1`, activated, count * width); // [M, count * width]
    return split(all, 1, new Array<Dim>(count).fill(width));
  };
  return {
    block(index) {
      const [offset, scaleBy, gate] = parts(`res_blocks.${index}`, 3) as [Value, Value, Value];
      return { offset, factor: shift(scaleBy, 1), gate };
    },
    final() {
      const [offset, scaleBy] = parts("final_layer", 2) as [Value, Value];
      return { offset, factor: shift(scaleBy, 1) };
    },
  };
}

/** All modulations of a network in one list, which {@link listedModulations} reads. Each [M, width] */
export function modulationList(modulations: FlowModulations, layers: number): Value[] {
  const blocks = Array.from({ length: layers }, (_, index) => modulations.block(index));
  const { offset, factor } = modulations.final();
  return [...blocks.flatMap((block) => [block.offset, block.factor, block.gate]), offset, factor];
}

/** Modulations from the values of a {@link modulationList}. */
export function listedModulations(values: readonly Value[]): FlowModulations {
  const at = (index: number): Value => values.at(index) as Value;
  return {
    block: (index) => ({ offset: at(3 * index), factor: at(3 * index + 1), gate: at(3 * index + 2) }),
    final: () => ({ offset: at(-2), factor: at(-1) }),
  };
}

function modulate(x: Value, { factor, offset }: Modulation): Value {
  return add(mul(x, factor), offset);
}

/** The network behind what time and condition make of it. x [M, 64], modulations of M rows -> velocity [M, 64] */
export function flowNet(
  scope: ParameterScope,
  config: NextStepConfig,
  x: Value,
  modulations: FlowModulations,
): Value {
  const { headWidth, headLayers, headMlpRatio } = config;
  const inner = Math.floor(headWidth * headMlpRatio);
  let state = dense(scope, "input_proj", x, headWidth);
  for (let block = 0; block < headLayers; block++) {
    const name = `res_blocks.${block}`;
    const modulation = modulations.block(block);
    const weight = scope.get(`${NET}.${name}.in_ln.weight`, [headWidth]);
    const bias = scope.get(`${NET}.${name}.in_ln.bias`, [headWidth]);
    const modulated = modulate(layerNorm(state, EPSILON, weight, bias), modulation);
    const hidden = silu(dense(scope, `${name}.mlp.0`, modulated, inner));
    state = add(state, mul(modulation.gate, dense(scope, `${name}.mlp.2`, hidden, headWidth)));
  }
  const last = modulate(layerNorm(state, EPSILON), modulations.final());
  return dense(scope, "final_layer.linear", last, tokenWidth(config));
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
  return flowNet(scope, config, x, flowModulations(scope, config, y));
}
