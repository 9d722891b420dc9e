/** @file First weights of an autoencoder: new ones, or those of another. */
import { join } from "node:path";
import {
  type AutoencoderFolder,
  holdsAutoencoder,
  openAutoencoderFolder,
} from "../../checkpoint/autoencoder-folder.ts";
import { ConfigError } from "../../errors.ts";
import { LocalFolder } from "../../files/local-folder.ts";
import type { ParameterSpec } from "../../model/parameter-scope.ts";
import { digestWeights } from "../loop/weights-digest.ts";
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

/**
 * The weights in a folder, in the order of `parameters`.
 * @param path of config.json and weights, or of a folder that holds them in `vae/`.
 * @throws InputError or ModelFormatError when there are none, ConfigError when they are of another shape.
 */
export async function readAutoencoderWeights(
  path: string,
  parameters: readonly ParameterSpec[],
): Promise<Trainable[]> {
  await using folder = await openStart(path);
  const weights: Trainable[] = [];
  for (const { name, shape } of parameters) {
    const stored = folder.tensors.entries.get(name);
    if (stored?.shape.join() !== shape.join()) {
      throw new ConfigError(
        `${name} is [${shape}], where training starts from [${stored?.shape ?? "nothing"}]`,
        {
          where: path,
          remedy: "give the config the sizes of the autoencoder that it starts from",
        },
      );
    }
    weights.push(trainable(name, shape, Float32Array.from(await folder.tensors.read(name))));
  }
  return weights;
}

/** Digest of all that {@link readAutoencoderWeights} reads. Throws as it does for a folder without weights. */
export async function digestAutoencoderWeights(path: string): Promise<string> {
  await using folder = await openStart(path);
  return await digestWeights(folder.configJson, folder.tensors);
}

async function openStart(path: string): Promise<AutoencoderFolder> {
  const isInside = await holdsAutoencoder(new LocalFolder(join(path, "vae")));
  return openAutoencoderFolder(new LocalFolder(isInside ? join(path, "vae") : path));
}

/** A parameter's name without ".weight" or ".bias". */
function stemOf(name: string): string {
  return name.slice(0, name.lastIndexOf("."));
}
