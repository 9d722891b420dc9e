/** @file Some steps of a solver on the way to image tokens in one graph: the flow head with guidance. */
import { reduceSum } from "../graph/operators/broadcast.ts";
import { add, mul } from "../graph/operators/elementwise.ts";
import { gatherRows } from "../graph/operators/gather.ts";
import { concat, split } from "../graph/operators/layout.ts";
import { reshape } from "../graph/operators/reshape.ts";
import { type Dim, multiplySizes } from "../graph/size.ts";
import type { Value } from "../graph/value.ts";
import { type NextStepConfig, tokenWidth } from "./config.ts";
import {
  type FlowModulations,
  flowModulations,
  flowNet,
  modulationsOfSteps,
  timeEmbedding,
} from "./flow-head.ts";
import type { ParameterScope } from "./parameter-scope.ts";

export interface SamplerInputs {
  /** Where each picture's token stands before the first step. [pictures, 64] */
  readonly state: Value;
  /** What conditionEmbedding makes of the hidden states that predict the tokens. [rows, headWidth] */
  readonly condition: Value;
  /** Picture of each row. int64 [rows] */
  readonly pictureOfRow: Value;
  /** Solver table, a row each step: x' = a x + b v + c noise at time t. Each [steps, pictures]. */
  readonly times: Value;
  readonly a: Value;
  readonly b: Value;
  readonly c: Value;
  /**
   * Guidance: v = sum over branches of weight * v of the branch's row. int64 [branches, pictures]; a picture without a
   * branch names any row of its own, with weight 0.
   */
  readonly branchRows: Value;
  /** [branches, pictures] */
  readonly weights: Value;
  /** [steps, pictures, 64] */
  readonly noise: Value;
}

export interface SamplerOutputs {
  /** State before each step, then the result, each [pictures, 64]. */
  readonly states: readonly Value[];
  /** Raw velocities of each step before guidance, each [rows, 64]. */
  readonly velocities: readonly Value[];
}

/**
 * The solver loop unrolled over `steps`. Table, guidance and noise are inputs, each picture's own, so that one graph
 * serves every published sampler and schedule (docs/nextstep-spec.md 3.3 to 3.5), and more steps are more runs. A step
 * with a = 1 and b = c = 0 changes nothing. A picture's numbers do not depend on the others': weights multiply each row
 * by itself, and guidance adds a picture's own branches, one after another.
 */
export function flowSampler(
  scope: ParameterScope,
  config: NextStepConfig,
  steps: number,
  inputs: SamplerInputs,
): SamplerOutputs {
  const width = tokenWidth(config);
  const pictures = inputs.state.shape[0] as Dim;
  const [branches] = inputs.weights.shape as [Dim, Dim];
  const all = multiplySizes(steps, pictures);
  /** [steps, pictures, n] -> [pictures, n] of each step */
  const perStep = (values: Value, n: number): readonly Value[] =>
    split(reshape(values, [all, n]), 0, new Array<Dim>(steps).fill(pictures));
  const times = perStep(timeEmbedding(scope, config, reshape(inputs.times, [all])), config.headWidth);
  const [rows] = inputs.pictureOfRow.shape as [Dim];
  const stepsRows = multiplySizes(steps, rows);
  const timeOfRow = times.map((time) => gatherRows(time, inputs.pictureOfRow)); // [rows, headWidth] each
  const known = add(reshape(concat(timeOfRow, 0), [steps, rows, config.headWidth]), inputs.condition);
  const modulations = modulationsOfSteps(
    flowModulations(scope, config, reshape(known, [stepsRows, config.headWidth])),
    steps,
    rows,
  );
  const [a, b] = [perStep(inputs.a, 1), perStep(inputs.b, 1)];
  const shifts = perStep(mul(inputs.noise, reshape(inputs.c, [steps, pictures, 1])), width);
  const weights = reshape(inputs.weights, [branches, pictures, 1]);
  const states: Value[] = [inputs.state];
  const velocities: Value[] = [];
  for (let step = 0; step < steps; step++) {
    const x = states[step] as Value;
    const perRow = gatherRows(x, inputs.pictureOfRow); // [rows, 64]
    const velocity = flowNet(scope, config, perRow, modulations[step] as FlowModulations);
    velocities.push(velocity);
    const perBranch = gatherRows(velocity, inputs.branchRows); // [branches, pictures, 64]
    const guided = reduceSum(mul(perBranch, weights), [0]); // [pictures, 64]
    const moved = add(mul(x, a[step] as Value), mul(guided, b[step] as Value));
    states.push(add(moved, shifts[step] as Value));
  }
  return { states, velocities };
}
