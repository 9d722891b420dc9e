/** @file What a stage of training gives the loop. */
import type { FaultySamples } from "../data/faulty-samples.ts";
import type { LossSums, StepPlan, StepPlanner } from "../objective/objective.ts";
import type { Optimizer } from "../optimizer/optimizer.ts";
import type { NamedBuffer, Trainable } from "../optimizer/trainable.ts";
import type { JsonValue } from "../plain-json.ts";

/** The figure of validation by which the best checkpoint is chosen. */
export interface Judgement {
  readonly metric: string;
  readonly better: "lower" | "higher";
}

/** What a stage gives the loop. */
export interface TrainStage<Plan extends StepPlan> {
  readonly trainables: readonly Trainable[];
  readonly optimizer: Optimizer;
  /** Settings and inputs that decide the result: a run is only continued with the same. */
  readonly identity: JsonValue;
  /** Settings that may be changed when a run is continued; a change is told and logged. */
  readonly adjustable: JsonValue;
  /** Learning rate of the optimizer's first group, before the schedule. */
  readonly learningRate: number;
  /** Samples that were left out because they cannot be used. */
  readonly faults?: FaultySamples;
  readonly planner: StepPlanner<Plan>;
  /**
   * Forward and backward of part `part` (from 0) of a plan; its gradients replace the trainables' (`isFirst`) or are
   * added to them. Depends on the plan and the weights alone. A stage whose plans follow from the step alone may break
   * off with an AbortedError when the run is stopped.
   * @returns the part's shares of the loss and of other sums.
   */
  compute(plan: Plan, part: number, isFirst: boolean): Promise<LossSums>;
  /** Figures on held-out data of the given weights. */
  validate?(weights: readonly NamedBuffer[]): Promise<Record<string, number>>;
  /** Which of these figures says how good a checkpoint is. */
  readonly judgement?: Judgement;
  /** A PNG that shows what the given weights do. */
  drawSamples?(weights: readonly NamedBuffer[]): Promise<Uint8Array>;
  /** Writes the model in the official layout. */
  writeModel(folder: string, weights: readonly NamedBuffer[]): Promise<void>;
}
