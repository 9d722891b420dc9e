/** @file First weights of an autoencoder: new ones, or those of another. */
import { join } from "node:path";
import {
  type AutoencoderFolder,
  holdsAutoencoder,
  openAutoencoderFolder,
} from "../../checkpoint/autoencoder-folder.ts";
import { ConfigError } from "../../errors.ts";
import { LocalFolder } from "../../files/local-folder.ts";
import type { AutoencoderConfig } from "../../model/autoencoder-config.ts";
import { autoencoderParameters } from "../../model/parameter-list.ts";
import type { ParameterSpec } from "../../model/parameter-scope.ts";
import { digestWeights } from "../loop/weights-digest.ts";
import { type NamedBuffer, type Trainable, trainable } from "../optimizer/trainable.ts";
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
 * The weights in a folder for an autoencoder of the given configuration, in the order of use. Weights for single pixels
 * also start one of blocks of pixels: see {@link forBlocks}.
 * @param path of config.json and weights, or of a folder that holds them in `vae/`.
 * @throws InputError or ModelFormatError when there are none, ConfigError when they are of another shape.
 */
export async function readAutoencoderWeights(path: string, config: AutoencoderConfig): Promise<Trainable[]> {
  await using folder = await openStart(path);
  const block = folder.config.pixelShuffle === 1 ? config.pixelShuffle : 1;
  const weights: Trainable[] = [];
  for (const { name, shape } of autoencoderParameters(config)) {
    const stored = folder.tensors.entries.get(name);
    const start =
      stored === undefined
        ? undefined
        : forBlocks(
            { name, shape: stored.shape, data: Float32Array.from(await folder.tensors.read(name)) },
            block,
          );
    if (start?.shape.join() !== shape.join()) {
      throw new ConfigError(
        `${name} is [${shape}], where training starts from [${start?.shape ?? "nothing"}]`,
        {
          where: path,
          remedy: "give the config the sizes of the autoencoder that it starts from",
        },
      );
    }
    weights.push(trainable(name, shape, start.data));
  }
  return weights;
}

/**
 * A weight for pixels as one for blocks of side x side pixels: the encoder then reads the mean of each block and the
 * decoder fills each block with one colour, so that the latents of a picture are those of its smaller copy.
 */
export function forBlocks({ name, shape, data }: NamedBuffer, side: number): NamedBuffer {
  const places = side ** 2;
  const [outputs = 1, inputs = 1] = shape;
  if (name === "encoder.conv_in.weight") {
    const kernel = data.length / outputs / inputs;
    const spread = Float32Array.from({ length: data.length * places }, (_, i) => {
      const plane = Math.floor(i / kernel / places); // of [outputs, inputs]
      return data[plane * kernel + (i % kernel)]! / places;
    });
    return { name, shape: [outputs, inputs * places, ...shape.slice(2)], data: spread };
  }
  if (name === "decoder.conv_out.weight" || name === "decoder.conv_out.bias") {
    const length = data.length / outputs;
    const repeated = Float32Array.from({ length: data.length * places }, (_, i) => {
      return data[Math.floor(i / length / places) * length + (i % length)]!;
    });
    return { name, shape: [outputs * places, ...shape.slice(1)], data: repeated };
  }
  return { name, shape, data };
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
