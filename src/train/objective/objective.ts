/**
 * @file What an update of the weights is made of, and what ways of training differ in.
 *
 * An update is planned, computed in parts, reduced and applied. The plan is the same on every rank and cheap beside
 * the gradients: it decides the samples, the noise and whatever else is random for the whole update, so that how the
 * update is cut into parts, and which rank computes which, changes nothing but rounding. Means are therefore taken over
 * the whole update, by counts that the plan knows: a part's loss and gradients are shares, and their sums are the
 * update's.
 *
 * - Pre-training and fine-tuning plan rows of text and images, and one graph gives the loss of a part.
 * - Preference training on the flow loss (DPO) plans pairs of pictures under one prompt, both of a pair in one part and
 *   with the same times and noise. Its graph takes the losses of a frozen reference as inputs; `feeds` finds them first,
 *   in a session of its own without gradients. The graph's loss is -log sigmoid of the differences, summed over pairs
 *   and divided by the pairs of the update.
 * - Policy gradients on drawn pictures (Flow-GRPO) plan prompts, noise seeds and the solver step that is learnt from. In
 *   front of the first part, the pictures are drawn with the weights as they are then, and scored; `feeds` gives every part
 *   the states, the log-probabilities of that step and the advantages. Each update draws anew.
 */
import type { HostTensor } from "../../runtime/engine.ts";
import type { JsonValue } from "../plain-json.ts";
import type { LossGraph } from "./gradient-session.ts";

/** The decisions of one update; objectives add their own fields. */
export interface StepPlan {
  /** Parts, each computed by itself: of one size or not. */
  readonly parts: number;
  /** Pictures trained on. */
  readonly images: number;
}

/** `loss` and the graph's other scalars. */
export type LossSums = Readonly<Record<string, number>> & { readonly loss: number };

export interface StepPlanner<Plan extends StepPlan> {
  /**
   * Decides step `step` (from 0). Called for every step, in order; depends on the step and the position alone, not on
   * the weights or the rank.
   */
  plan(step: number): Promise<Plan>;
  /** Figures to report of a whole step, from the sums over all its parts. */
  metrics(plan: Plan, sums: LossSums): Record<string, number>;
  /** What planning must remember between steps; null when a plan depends on the step alone. */
  position(): JsonValue;
  /** @throws DataFormatError for a position that is none. */
  restorePosition(position: JsonValue): void;
}

/** A graph by name: parts of one key share a session. */
export interface GraphChoice {
  readonly key: string;
  build(): LossGraph;
}

export interface Objective<Plan extends StepPlan> extends StepPlanner<Plan> {
  /** The graph whose loss is the share of part `part` (from 0) in the loss of the step. */
  graph(plan: Plan, part: number): GraphChoice;
  /** Inputs of that graph, and any weights that it reads and does not train. May run sessions of its own. */
  feeds(plan: Plan, part: number): Promise<Readonly<Record<string, HostTensor>>>;
}
