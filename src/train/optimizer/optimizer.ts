/** @file What the training loop sees of an optimizer. */
import type { NamedBuffer, Trainable } from "./trainable.ts";

export interface UpdateRequest {
  /** 1 for the first update of the run: needed for bias correction, so that the count need not be stored. */
  readonly update: number;
  /** Factor of the learning rates, from the schedule. */
  readonly rateFactor: number;
  /** Factor of the gradients, from clipping. */
  readonly gradientFactor: number;
}

export interface Optimizer {
  /** Updates the weights in place from their gradients. */
  step(request: UpdateRequest): Promise<void>;
  /** Moments and the like, under names that are unique among all optimizers. Restored in place. */
  readonly buffers: readonly NamedBuffer[];
}

/** Weights that share a learning rate and a weight decay. */
export interface ParameterGroup {
  readonly parameters: readonly Trainable[];
  readonly learningRate: number;
  readonly weightDecay: number;
}

/** Several optimizers, each for its own weights, as one. */
export function combineOptimizers(optimizers: readonly Optimizer[]): Optimizer {
  return {
    buffers: optimizers.flatMap(({ buffers }) => buffers),
    async step(request) {
      for (const optimizer of optimizers) await optimizer.step(request);
    },
  };
}
