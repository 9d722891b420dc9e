/** @file A whole image token in one graph: the flow head under every published solver, with guidance. */

import { expand, reduceSum } from "../graph/operators/broadcast.ts";
import { add, mul } from "../graph/operators/elementwise.ts";
import { split } from "../graph/operators/layout.ts";
import { reshape } from "../graph/operators/reshape.ts";
import type { Dim } from "../graph/size.ts";
import type { Value } from "../graph/value.ts";
import { type NextStepConfig, tokenWidth } from "./config.ts";
import { conditionEmbedding, flowNet, timeEmbedding } from "./flow-head.ts";
import type { ParameterScope } from "./parameter-scope.ts";

export interface SamplerInputs {
  /** What image_out_projector makes of the hidden states that predict the token. Row b * images + i. [branches * images, D] */
  readonly conditions: Value;
  /** Solver table, one row a step: x' = a x + b v + c noise at time t. Each [steps]. */
  readonly times: Value;
  readonly a: Value;
  readonly b: Value;
  readonly c: Value;
  /** Guidance: v = sum over branches of weight * v_branch. [branches, images] */
  readonly weights: Value;
  /** [images, steps + 1, 64]: draw 0 is the state at the start, draw 1 + k the noise of step k. */
  readonly noise: Value;
}

export interface SamplerOutputs {
  /** [images, 64] */
  readonly token: Value;
  /** State before each step, then the result, each [images, 64]. */
  readonly states: readonly Value[];
  /** Raw velocities of each step before guidance, each [branches * images, 64]. */
  readonly velocities: readonly Value[];
}

/**
 * A whole token in one graph: the solver loop unrolled over `steps`. The table, the guidance and the noise are
 * inputs, so one graph serves every published sampler and schedule (docs/nextstep-spec.md 3.3 to 3.5).
 */
export function flowSampler(
  scope: ParameterScope,
  config: NextStepConfig,
  steps: number,
  inputs: SamplerInputs,
): SamplerOutputs {
  const width = tokenWidth(config);
  const [branches, images] = inputs.weights.shape as [Dim, Dim];
  const rows = inputs.conditions.shape[0] as Dim;
  const condition = conditionEmbedding(scope, config, inputs.conditions); // [branches * images, headWidth]
  const times = timeEmbedding(scope, config, inputs.times); // [steps, headWidth]
  const stepTimes = split(times, 0, new Array<number>(steps).fill(1)); // [1, headWidth] each
  const draws = split(inputs.noise, 1, new Array<number>(steps + 1).fill(1)); // [images, 1, 64] each
  const draw = (index: number): Value => reshape(draws[index] as Value, [images, width]);
  const tables = [inputs.a, inputs.b, inputs.c].map((table) =>
    split(table, 0, new Array<number>(steps).fill(1)),
  );
  const weights = reshape(inputs.weights, [1, branches, images]);
  const states: Value[] = [draw(0)];
  const velocities: Value[] = [];
  for (let step = 0; step < steps; step++) {
    const x = states[step] as Value;
    const [a, b, c] = tables.map((table) => table[step]) as [Value, Value, Value]; // [1] each
    const perBranch = repeatForBranches(x, branches, images, rows, width);
    const velocity = flowNet(scope, config, perBranch, add(condition, stepTimes[step] as Value));
    velocities.push(velocity);
    const guided = guide(velocity, weights, width);
    states.push(add(add(mul(x, a), mul(guided, b)), mul(draw(step + 1), c)));
  }
  return { token: states[steps] as Value, states, velocities };
}

/** [images, 64] -> [branches * images, 64] */
function repeatForBranches(x: Value, branches: Dim, images: Dim, rows: Dim, width: number): Value {
  return reshape(expand(reshape(x, [1, images, width]), [branches, images, width]), [rows, width]);
}

/** Weighted sum over branches. velocity [branches * images, 64], weights [1, branches, images] -> [images, 64] */
function guide(velocity: Value, weights: Value, width: number): Value {
  const [, branches, images] = weights.shape as [Dim, Dim, Dim];
  const perBranch = reshape(velocity, [branches, images, width]);
  return reduceSum(mul(perBranch, reshape(weights, [branches, images, 1])), [0]);
}
