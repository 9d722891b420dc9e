/** @file Clipping of gradients by their global norm. */
import type { Trainable } from "./trainable.ts";

/** Keeps the factor finite for gradients of zero; the value of the usual trainers. */
const NORM_EPSILON = 1e-6;

/** Euclidean norm over the gradients of all weights. NaN or infinite if any gradient is. */
export function gradientNorm(weights: readonly Trainable[]): number {
  let total = 0;
  for (const { gradient } of weights) {
    // A sum a weight: float64 keeps it exact enough in any order, four lanes keep the loop off one add's latency.
    let a = 0;
    let b = 0;
    let c = 0;
    let d = 0;
    let i = 0;
    for (; i + 3 < gradient.length; i += 4) {
      a += gradient[i]! * gradient[i]!;
      b += gradient[i + 1]! * gradient[i + 1]!;
      c += gradient[i + 2]! * gradient[i + 2]!;
      d += gradient[i + 3]! * gradient[i + 3]!;
    }
    for (; i < gradient.length; i++) a += gradient[i]! * gradient[i]!;
    total += a + b + c + d;
  }
  return Math.sqrt(total);
}

/** Factor that brings a norm down to `maxNorm`; 1 when it is below already. */
export function clippingFactor(norm: number, maxNorm: number): number {
  return Math.min(1, maxNorm / (norm + NORM_EPSILON));
}
