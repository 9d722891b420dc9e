/** @file Axes as callers give them: negative numbers count from the end. */
import { shapeError } from "./value.ts";

/** Axes counted from the front, ascending, without repeats. */
export function normalizeAxes(operator: string, axes: readonly number[], rank: number): number[] {
  const normal = axes.map((axis) => (axis < 0 ? axis + rank : axis));
  if (
    normal.some((axis) => axis < 0 || axis >= rank || !Number.isInteger(axis)) ||
    new Set(normal).size !== axes.length
  ) {
    throw shapeError(operator, `axes [${axes.join(", ")}] do not fit a value of rank ${rank}`);
  }
  return normal.sort((a, b) => a - b);
}
