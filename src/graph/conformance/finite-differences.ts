/** @file Numerical gradients of reference computations, by central differences in float64. */
import type { OperatorCase } from "./operator-case.ts";
import type { Tensor64 } from "./tensor64.ts";

/** Step of the differences: error about step² (1e-10) plus float64 rounding over step (1e-11). */
const STEP = 1e-5;

/** Sum over all outputs of output times `upstream`: the scalar whose gradients are compared. */
function weighted(outputs: readonly Tensor64[], upstream: readonly Tensor64[]): number {
  let total = 0;
  outputs.forEach((output, index) => {
    const weights = upstream[index] as Tensor64;
    output.data.forEach((value, place) => {
      total += value * (weights.data[place] as number);
    });
  });
  return total;
}

/** Gradient of the weighted sum of a case's outputs with respect to operand `which`. */
export function numericalGradient(
  { operands, reference }: OperatorCase,
  which: number,
  upstream: readonly Tensor64[],
): Tensor64 {
  const tensors = operands.map(({ tensor }) => tensor);
  const original = tensors[which] as Tensor64;
  const moved = (place: number, step: number): number => {
    const data = original.data.map((value, index) => (index === place ? value + step : value));
    return weighted(reference(tensors.with(which, { shape: original.shape, data })), upstream);
  };
  const data = original.data.map((_value, place) => (moved(place, STEP) - moved(place, -STEP)) / (2 * STEP));
  return { shape: original.shape, data };
}
