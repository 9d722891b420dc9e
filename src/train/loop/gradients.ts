/** @file The gradients of one update: the parts that are this rank's, and the sums over all ranks. */
import { addSums, type GradientReducer, SINGLE_RANK } from "../objective/gradient-reducer.ts";
import type { LossSums, StepPlan } from "../objective/objective.ts";
import type { TrainStage } from "./train-stage.ts";

/** Leaves the gradients in the stage's trainables. */
export async function computeGradients<Plan extends StepPlan>(
  stage: Pick<TrainStage<Plan>, "trainables" | "compute">,
  plan: Plan,
  reducer: GradientReducer = SINGLE_RANK,
): Promise<LossSums> {
  const { rank, ranks } = reducer;
  let sums: LossSums = { loss: 0 };
  for (let part = rank; part < plan.parts; part += ranks) {
    sums = addSums(sums, await stage.compute(plan, part, part === rank));
  }
  if (plan.parts <= rank) for (const { gradient } of stage.trainables) gradient.fill(0);
  return reducer.reduce(stage.trainables, sums);
}
