/** @file What all stages with one AdamW rate say of their optimizer and loop: what decides a run, and what may change. */
import { availableParallelism } from "node:os";
import type { z } from "zod";
import type { JsonValue } from "../plain-json.ts";
import type { adamWSchema, engineSchema, LoopConfig } from "./train-config.ts";

export interface OptimizationSettings {
  readonly optimizer: z.infer<typeof adamWSchema>;
  readonly loop: LoopConfig;
}

/** Of an identity: periods and the rate, which may change, are left out. */
export function optimizationIdentity({ optimizer, loop }: OptimizationSettings): {
  readonly optimizer: JsonValue;
  readonly loop: JsonValue;
} {
  const { learningRate: _rate, ...decisive } = optimizer;
  const { accumulate, maxGradientNorm, schedule, ema } = loop;
  return { optimizer: decisive, loop: { accumulate, maxGradientNorm, schedule, ema } };
}

/** What may be changed when a run is continued. Another number of threads rounds differently. */
export function adjustableSettings({
  steps,
  optimizer,
  engine,
}: Pick<OptimizationSettings, "optimizer"> & {
  readonly steps: number;
  readonly engine: z.infer<typeof engineSchema>;
}): { readonly [name: string]: JsonValue } {
  const { learningRate } = optimizer;
  return { ...{ steps, learningRate }, threads: engine.threads ?? availableParallelism() };
}
