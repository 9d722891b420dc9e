/** @file The sum of gradients over the ranks that compute parts of one update. */
import type { Trainable } from "../optimizer/trainable.ts";
import type { LossSums } from "./objective.ts";

/** Stands between the gradients of a rank and their norm. */
export interface GradientReducer {
  /** 0 to `ranks` - 1. Part p of a plan is computed by rank p modulo `ranks`. */
  readonly rank: number;
  readonly ranks: number;
  /**
   * Replaces each gradient by its sum over all ranks, the same bits on every rank.
   * @returns the sums of the scalars, by name.
   */
  reduce(trainables: readonly Trainable[], sums: LossSums): Promise<LossSums>;
}

/** One process computes everything. */
export const SINGLE_RANK: GradientReducer = Object.freeze({
  rank: 0,
  ranks: 1,
  reduce: async (_trainables: readonly Trainable[], sums: LossSums): Promise<LossSums> => sums,
});

/** Sums by name; a name that one of them lacks counts as 0. */
export function addSums(a: LossSums, b: LossSums): LossSums {
  const total: Record<string, number> & { loss: number } = { ...a };
  for (const [name, value] of Object.entries(b)) total[name] = (total[name] ?? 0) + value;
  return total;
}
