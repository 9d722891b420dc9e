/** @file The phases of a run: where each begins, and which of them are taken and can no longer be changed. */
import { z } from "zod";
import { ConfigError, DataFormatError } from "../../errors.ts";
import { type JsonValue, plainJson } from "../plain-json.ts";
import { type AutoencoderTrainConfig, phaseSchema } from "./autoencoder-train-config.ts";

export type Phase = AutoencoderTrainConfig["phases"][number];

/** A phase and where it begins. */
export interface PhaseSpan extends Phase {
  readonly firstStep: number;
  /** Pictures visited before it. */
  readonly firstVisit: number;
}

/** @param accumulate parts of an update. */
export function phaseSpans(phases: readonly Phase[], accumulate: number): PhaseSpan[] {
  let firstStep = 0;
  let firstVisit = 0;
  return phases.map((phase) => {
    const span = { ...phase, firstStep, firstVisit };
    firstStep += phase.steps;
    firstVisit += phase.steps * phase.batch * accumulate;
    return span;
  });
}

/** The first `steps` steps as phases. Two phases that are alike are one. */
export function takenPhases(phases: readonly Phase[], steps: number): Phase[] {
  const taken: Phase[] = [];
  let left = steps;
  for (const { crop, batch, steps: own } of phases) {
    const count = Math.min(own, left);
    left -= count;
    const last = taken.at(-1);
    if (count === 0) break;
    if (last?.crop === crop && last.batch === batch)
      taken.push({ ...taken.pop()!, steps: last.steps + count });
    else taken.push({ crop, batch, steps: count });
  }
  return taken;
}

/**
 * @param position the phases that were taken, as a checkpoint holds them.
 * @returns how many steps they are.
 * @throws ConfigError when `phases` do not begin with them, DataFormatError for a position that is none.
 */
export function refuseOtherPhases(phases: readonly Phase[], position: JsonValue): number {
  const parsed = z.array(phaseSchema).safeParse(position);
  if (!parsed.success) throw new DataFormatError("is no position in phases", { where: "position" });
  const steps = parsed.data.reduce((sum, phase) => sum + phase.steps, 0);
  const [before, now] = [parsed.data, takenPhases(phases, steps)].map((list) =>
    JSON.stringify(plainJson(list)),
  );
  if (before !== now) {
    throw new ConfigError(`the run took its first ${steps} steps in other phases: ${before}`, {
      where: "phases",
      remedy: "change only phases that come after them, or choose another output folder",
    });
  }
  return steps;
}
