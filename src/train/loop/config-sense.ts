/** @file Settings of the loop that are each allowed and cannot be meant together. */
import { ConfigError } from "../../errors.ts";
import type { LoopConfig } from "./train-config.ts";

/**
 * @param steps updates in all.
 * @param stepsField where they are set.
 * @throws ConfigError naming the field.
 */
export function refuseUnmeant(
  { schedule }: Pick<LoopConfig, "schedule">,
  steps: number,
  stepsField: string,
): void {
  const { name, warmupSteps } = schedule;
  if (name !== "constant" && warmupSteps > steps) {
    throw new ConfigError(`a warm-up of ${warmupSteps} steps does not end within ${steps}`, {
      where: "loop.schedule.warmupSteps",
      remedy: `make it shorter, or ${stepsField} longer`,
    });
  }
}
