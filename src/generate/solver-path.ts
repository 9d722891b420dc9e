/** @file The way that the solver took to a token: where it stood behind each step, and which velocities led it there. */
import type { HostTensor } from "../runtime/engine.ts";
import { joinedFloats } from "../tensor/joined.ts";
import type { SolverRun } from "./solver-runs.ts";

export interface SolverPath {
  /** Raster index of the token's cell, from 0. */
  readonly cell: number;
  /** Where the token stood before the first step, and behind each. [steps + 1, 64] */
  readonly states: Float32Array;
  /** Of each step, before guidance. [steps, branches, 64] */
  readonly velocities: Float32Array;
}

export type SolverWatch = (path: SolverPath) => void;

/** Outputs of the image head that paths are made of. */
export const PATH_OUTPUTS = ["states", "velocities"] as const;

/** What a run of the image head had of them: `states` [steps, pictures, 64], `velocities` [steps, rows, 64]. */
export interface WatchedRun extends Pick<SolverRun, "from" | "to" | "pictures"> {
  readonly outputs: Readonly<Record<string, HostTensor>>;
}

/**
 * The path of one of the pictures that a chain of runs was for.
 * @param picture its place among them
 * @param branches of each picture, whose rows stand behind each other
 * @param start where its token began. [64]
 * @param steps of its solver
 */
export function solverPath(
  runs: readonly WatchedRun[],
  picture: number,
  branches: readonly number[],
  { cell, start, steps }: { readonly cell: number; readonly start: Float32Array; readonly steps: number },
): SolverPath {
  const width = start.length;
  const own = branches[picture] as number;
  const firstRow = sum(branches.slice(0, picture));
  const states = [start];
  const velocities: Float32Array[] = [];
  for (const { from, to, pictures, outputs } of runs) {
    const rows = sum(branches.slice(0, pictures));
    for (let step = from; step < Math.min(to, steps); step++) {
      const state = (step - from) * pictures + picture;
      const velocity = (step - from) * rows + firstRow;
      states.push(floatsOf(outputs.states).subarray(state * width, (state + 1) * width));
      velocities.push(floatsOf(outputs.velocities).subarray(velocity * width, (velocity + own) * width));
    }
  }
  return { cell, states: joinedFloats(states), velocities: joinedFloats(velocities) };
}

function floatsOf(tensor: HostTensor | undefined): Float32Array {
  return tensor?.data as Float32Array;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
