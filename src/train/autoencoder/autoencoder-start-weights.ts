/** @file First weights of a new autoencoder. */
import type { ParameterSpec } from "../../model/parameter-scope.ts";
import { type Trainable, trainable } from "../optimizer/trainable.ts";
import { randomFor } from "../step-random.ts";

/**
 * PyTorch's defaults, which the published autoencoder starts from: convolutions and their biases uniform within
 * 1 / sqrt(inputs of an output), scales 1, offsets 0. Every weight depends on the seed and its own name.
 */
export function initialAutoencoderWeights(parameters: readonly ParameterSpec[], seed: number): Trainable[] {
  const fanIn = new Map<string, number>();
  for (const { name, shape } of parameters) {
    if (shape.length === 4)
      fanIn.set(
        stemOf(name),
        shape.slice(1).reduce((a, b) => a * b, 1),
      );
  }
  return parameters.map(({ name, shape }) => {
    const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
    const inputs = fanIn.get(stemOf(name));
    if (inputs === undefined) {
      data.fill(name.endsWith(".weight") ? 1 : 0);
    } else {
      const bound = 1 / Math.sqrt(inputs);
      randomFor(seed, name).fillUniform(data);
      for (let i = 0; i < data.length; i++) data[i] = (2 * data[i]! - 1) * bound;
    }
    return trainable(name, shape, data);
  });
}

/** A parameter's name without ".weight" or ".bias". */
function stemOf(name: string): string {
  return name.slice(0, name.lastIndexOf("."));
}
