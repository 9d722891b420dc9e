/**
 * @file Learning-rate schedules: a factor for every step (docs/nextstep-spec.md 4.6). All but "constant" rise
 * linearly from 0 over the warm-up, then decay from 1 towards `finalFactor`.
 */
import { z } from "zod";

export const SCHEDULES = Object.freeze([
  "constant",
  "constant_with_warmup",
  "cosine",
  "cosine_with_restarts",
  "inverse_sqrt",
  "linear",
  "polynomial",
  "warmup_stable_decay",
] as const);

export const scheduleSchema = z.strictObject({
  name: z.enum(SCHEDULES).default("cosine"),
  /** Steps over which the rate rises from 0; the first update has rate 0. */
  warmupSteps: z.int().min(0).default(0),
  /**
   * The published `scale_lr`: the factor that the decay ends at. 1 means constant after the warm-up, which is what
   * the published configs train with.
   */
  finalFactor: z.number().min(0).max(1).default(1),
  /** Exponent of "polynomial". */
  power: z.number().positive().default(1),
  /** Restarts of "cosine_with_restarts". */
  cycles: z.int().min(1).default(1),
  /** Last steps in which "warmup_stable_decay" falls linearly. */
  decaySteps: z.int().min(0).default(0),
});

export type ScheduleConfig = z.infer<typeof scheduleSchema>;

/** "inverse_sqrt" without a warm-up decays on this scale, as in the usual library. */
const INVERSE_SQRT_TIMESCALE = 10_000;

/** Shape of the decay, 1 at the end of the warm-up; `progress` from 0 to 1 over the steps after it. */
function decayShape(config: ScheduleConfig, step: number, steps: number, progress: number): number {
  const { warmupSteps } = config;
  switch (config.name) {
    case "constant":
    case "constant_with_warmup":
      return 1;
    case "cosine":
      return 0.5 * (1 + Math.cos(Math.PI * progress));
    case "cosine_with_restarts":
      return progress >= 1 ? 0 : 0.5 * (1 + Math.cos(Math.PI * ((config.cycles * progress) % 1)));
    case "linear":
      return 1 - progress;
    case "polynomial":
      return (1 - progress) ** config.power;
    case "inverse_sqrt": {
      const timescale = warmupSteps === 0 ? INVERSE_SQRT_TIMESCALE : warmupSteps;
      return 1 / Math.sqrt((step + timescale - warmupSteps) / timescale);
    }
    case "warmup_stable_decay":
      return config.decaySteps === 0 ? 1 : Math.min(1, (steps - step) / config.decaySteps);
  }
}

/**
 * Factor of the learning rate for step `step` (from 0) of `steps`.
 * @returns 0 to 1.
 */
export function scheduleFactor(config: ScheduleConfig, step: number, steps: number): number {
  if (config.name !== "constant" && step < config.warmupSteps) return step / config.warmupSteps;
  const progress = Math.min(1, (step - config.warmupSteps) / Math.max(1, steps - config.warmupSteps));
  const shape = Math.max(0, decayShape(config, step, steps, progress));
  return (1 - config.finalFactor) * shape + config.finalFactor;
}
