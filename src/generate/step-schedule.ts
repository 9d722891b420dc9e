/**
 * @file Step annealing (DiSA, arXiv 2505.20297): what is drawn already narrows down what follows, so that later tokens need
 * fewer steps of the solver.
 */
import { ConfigError } from "../errors.ts";

/**
 * How the steps fall from the first token to the last: in the middle of the picture at once, evenly, or by half a wave of a
 * cosine, slowly at both ends.
 */
export type StepSchedule = "two-stage" | "linear" | "cosine";

export const STEP_SCHEDULES: readonly StepSchedule[] = ["two-stage", "linear", "cosine"];

export interface StepAnnealing {
  /** Solver steps of the last token, at most those of the first. */
  readonly lastSteps: number;
  readonly schedule: StepSchedule;
}

/**
 * Solver steps of the token of index `token` among `count`. `cosine` is as in the published code (MAR_DiSA/models/
 * diffloss.py), which cuts off to whole steps. So it does for `linear`, too, which rounds here, and of an odd number of
 * tokens its `two-stage` counts the one in the middle to the second half.
 * @param steps of the first token
 */
export function stepsAt(
  steps: number,
  annealing: StepAnnealing | undefined,
  token: number,
  count: number,
): number {
  if (annealing === undefined) return steps;
  const { lastSteps, schedule } = annealing;
  if (schedule === "two-stage") return 2 * token < count ? steps : lastSteps;
  if (count < 2) return steps;
  if (schedule === "linear") return Math.round(steps + ((lastSteps - steps) * token) / (count - 1));
  const share = (Math.cos((Math.PI * token) / (count - 1)) + 1) / 2;
  return lastSteps + Math.floor(share * (steps - lastSteps));
}

/**
 * @param steps of the first token
 * @param fewest that the sampler can do with
 * @throws ConfigError for a last token with more steps than the first, or too few.
 */
export function checkAnnealing(steps: number, annealing: StepAnnealing | undefined, fewest: number): void {
  if (annealing === undefined) return;
  const { lastSteps } = annealing;
  if (lastSteps > steps) {
    throw new ConfigError(`${lastSteps} is more than the ${steps} steps of the first token`, {
      where: "lastSteps",
      remedy: "use fewer, or more steps",
    });
  }
  if (lastSteps < fewest) {
    throw new ConfigError(`${lastSteps} is less than the ${fewest} steps that the sampler takes at least`, {
      where: "lastSteps",
      remedy: "use more, or another sampler",
    });
  }
}
