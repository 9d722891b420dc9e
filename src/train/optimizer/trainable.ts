/** @file The weights a run trains: one buffer of values and one of summed gradients a parameter, updated in place. */
import { InputError } from "../../errors.ts";
import type { HostTensor } from "../../runtime/engine.ts";

/** A named float32 buffer of known shape; its elements change in place. */
export interface NamedBuffer {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** A weight (`data`) and the sum of its gradients over the parts of the step under way. */
export interface Trainable extends NamedBuffer {
  readonly gradient: Float32Array;
}

/** A weight of the given initial values (taken over, not copied) with a gradient of zeros. */
export function trainable(name: string, shape: readonly number[], data: Float32Array): Trainable {
  const elements = shape.reduce((a, b) => a * b, 1);
  if (data.length !== elements) {
    throw new InputError(`${data.length} elements do not fill [${shape.join(", ")}]`, { where: name });
  }
  return { name, shape, data, gradient: new Float32Array(elements) };
}

/** Weights as feeds of a run. The arrays are read in place, so one object serves every step. */
export function weightFeeds(weights: readonly NamedBuffer[]): Record<string, HostTensor> {
  return Object.fromEntries(
    weights.map(({ name, shape, data }) => [name, { dtype: "float32" as const, shape, data }]),
  );
}

/** Starts (`isFirst`) or continues the sum of gradients of one step. */
export function accumulateGradient(target: Float32Array, gradient: Float32Array, isFirst: boolean): void {
  if (isFirst) {
    target.set(gradient);
    return;
  }
  for (let i = 0; i < target.length; i++) target[i] = target[i]! + gradient[i]!;
}
