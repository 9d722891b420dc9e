/** @file The steps of a solver on the way to image tokens: the flow head with guidance. */
import { reduceSum } from "../graph/operators/broadcast.ts";
import { add, mul } from "../graph/operators/elementwise.ts";
import { gatherAlong, gatherRows } from "../graph/operators/gather.ts";
import { reshape } from "../graph/operators/reshape.ts";
import { scan } from "../graph/operators/scan.ts";
import { type Dim, multiplySizes } from "../graph/size.ts";
import type { Value } from "../graph/value.ts";
import type { NextStepConfig } from "./config.ts";
import { flowModulations, flowNet, listedModulations, modulationList, timeEmbedding } from "./flow-head.ts";
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
  /** State behind the last step. [pictures, 64] */
  readonly last: Value;
  /** State behind each step. [steps, pictures, 64] */
  readonly states: Value;
  /** Raw velocities of each step before guidance. [steps, rows, 64] */
  readonly velocities: Value;
}

/**
 * The solver loop. Table, guidance and noise are inputs, each picture's own, so that one graph serves every published
 * sampler and schedule (docs/nextstep-spec.md 3.3 to 3.5) with any number of steps. A picture's numbers do not depend on
 * the others': weights multiply each row by itself, and guidance adds a picture's own branches, one after another. What
 * time and condition do to the network does not depend on the state: it is made for all steps at once, in front of them.
 */
export function flowSampler(
  scope: ParameterScope,
  config: NextStepConfig,
  inputs: SamplerInputs,
): SamplerOutputs {
  const { headWidth, headLayers } = config;
  const [steps, pictures] = inputs.times.shape as [Dim, Dim];
  const [rows] = inputs.pictureOfRow.shape as [Dim];
  const [branches] = inputs.weights.shape as [Dim, Dim];
  const times = reshape(inputs.times, [multiplySizes(steps, pictures)]);
  const embedded = reshape(timeEmbedding(scope, config, times), [steps, pictures, headWidth]);
  const ofRows = gatherAlong(embedded, inputs.pictureOfRow, 1); // [steps, rows, headWidth]
  const known = reshape(add(ofRows, inputs.condition), [multiplySizes(steps, rows), headWidth]);
  const modulations = modulationList(flowModulations(scope, config, known), headLayers).map((value) =>
    reshape(value, [steps, rows, headWidth]),
  );
  const column = (values: Value): Value => reshape(values, [steps, pictures, 1]);
  const shifts = mul(inputs.noise, column(inputs.c)); // [steps, pictures, 64]
  const weights = reshape(inputs.weights, [branches, pictures, 1]);
  const sequences = [column(inputs.a), column(inputs.b), shifts, ...modulations];
  const { state, outputs } = scan([inputs.state], sequences, ([x], [a, b, shift, ...own]) => {
    const perRow = gatherRows(x as Value, inputs.pictureOfRow); // [rows, 64]
    const velocity = flowNet(scope, config, perRow, listedModulations(own));
    const perBranch = gatherRows(velocity, inputs.branchRows); // [branches, pictures, 64]
    const guided = reduceSum(mul(perBranch, weights), [0]); // [pictures, 64]
    const moved = add(mul(x as Value, a as Value), mul(guided, b as Value));
    const next = add(moved, shift as Value);
    return { state: [next], outputs: [next, velocity] };
  });
  const [states, velocities] = outputs as [Value, Value];
  return { last: state[0] as Value, states, velocities };
}
