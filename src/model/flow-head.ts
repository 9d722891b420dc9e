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

/** Modulations of rows that stand step behind step, for each step apart. y of `all` [steps * rows, width] */
export function modulationsOfSteps(
  all: FlowModulations,
  steps: number,
  rows: Dim,
): readonly FlowModulations[] {
  const perStep = (value: Value): readonly Value[] => split(value, 0, new Array<Dim>(steps).fill(rows));
  const parted = ({ offset, factor }: Modulation): readonly Modulation[] => {
    const offsets = perStep(offset);
    return perStep(factor).map((own, step) => ({ offset: offsets[step] as Value, factor: own }));
  };
  const partedBlock = ({ gate, ...modulation }: BlockModulation): readonly BlockModulation[] => {
    const gates = perStep(gate);
    return parted(modulation).map((own, step) => ({ ...own, gate: gates[step] as Value }));
  };
  const blocks = new Map<number, readonly BlockModulation[]>();
  let final: readonly Modulation[] | undefined;
  return Array.from({ length: steps }, (_, step) => ({
    block(index) {
      const known = blocks.get(index) ?? partedBlock(all.block(index));
      blocks.set(index, known);
      return known[step] as BlockModulation;
    },
    final() {
      final ??= parted(all.final());
      return final[step] as Modulation;
    },
  }));
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
