/** @file Random weights and inputs for graphs under measurement: different bytes everywhere, so nothing is shared. */
import type { Port } from "../src/graph/onnx-writer.ts";
import type { HostTensor } from "../src/runtime/engine.ts";
import { CounterRng } from "../src/tensor/counter-rng.ts";

/** Weights of about unit gain. */
export function randomWeights(seed: number): (port: Port) => Float32Array {
  const rng = new CounterRng(seed);
  return ({ shape }: Port) => {
    const sizes = shape as readonly number[];
    const elements = sizes.reduce((a, b) => a * b, 1);
    const gain = sizes.length < 2 ? 0.1 : 1 / Math.sqrt(elements / (sizes[0] ?? 1));
    const data = rng.fillNormal(new Float32Array(elements));
    for (let index = 0; index < elements; index++) data[index] = data[index]! * gain;
    return data;
  };
}

/** Normal float32 values. */
export function randomTensor(shape: readonly number[], seed = 1): HostTensor {
  const data = new CounterRng(seed).fillNormal(new Float32Array(shape.reduce((a, b) => a * b, 1)));
  return { dtype: "float32", shape, data };
}

/** int64 values 0, 1, 2 ... of a given shape, repeating after `period`. */
export function countingTensor(shape: readonly number[], period: number): HostTensor {
  const elements = shape.reduce((a, b) => a * b, 1);
  return {
    dtype: "int64",
    shape,
    data: BigInt64Array.from({ length: elements }, (_, index) => BigInt(index % period)),
  };
}
