/** @file AdamW with bias correction and decoupled weight decay (docs/nextstep-spec.md 4.6), in place. */

import type { Optimizer, ParameterGroup, UpdateRequest } from "./optimizer.ts";
import type { NamedBuffer, Trainable } from "./trainable.ts";

export interface AdamWOptions {
  readonly betas: readonly [number, number];
  readonly epsilon: number;
}

interface Moments {
  readonly weight: Trainable;
  readonly first: Float32Array;
  readonly second: Float32Array;
}

/** One AdamW for all groups. Its buffers are named `adamw.first/NAME` and `adamw.second/NAME`. */
export function adamW(groups: readonly ParameterGroup[], options: AdamWOptions): Optimizer {
  const buffers: NamedBuffer[] = [];
  const slots = groups.map((group) => ({
    group,
    moments: group.parameters.map((weight): Moments => {
      const first = new Float32Array(weight.data.length);
      const second = new Float32Array(weight.data.length);
      buffers.push({ name: `adamw.first/${weight.name}`, shape: weight.shape, data: first });
      buffers.push({ name: `adamw.second/${weight.name}`, shape: weight.shape, data: second });
      return { weight, first, second };
    }),
  }));
  return {
    buffers,
    async step(request) {
      for (const { group, moments } of slots) {
        for (const slot of moments) updateWeight(slot, group, options, request);
      }
    },
  };
}

function updateWeight(
  { weight, first, second }: Moments,
  group: ParameterGroup,
  { betas: [beta1, beta2], epsilon }: AdamWOptions,
  { update, rateFactor, gradientFactor }: UpdateRequest,
): void {
  const { data, gradient } = weight;
  const rate = group.learningRate * rateFactor;
  const kept = 1 - rate * group.weightDecay;
  const stepSize = rate / (1 - beta1 ** update);
  const secondFactor = 1 / Math.sqrt(1 - beta2 ** update);
  const gain1 = 1 - beta1;
  const gain2 = 1 - beta2;
  for (let i = 0; i < data.length; i++) {
    const g = gradient[i]! * gradientFactor;
    const m = beta1 * first[i]! + gain1 * g;
    const v = beta2 * second[i]! + gain2 * g * g;
    first[i] = m;
    second[i] = v;
    data[i] = kept * data[i]! - (stepSize * m) / (Math.sqrt(v) * secondFactor + epsilon);
  }
}
