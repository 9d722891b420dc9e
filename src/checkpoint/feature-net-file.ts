/** @file The weights of a feature net from the file that its package holds, normalisations folded in. */
import { ModelFormatError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { LegacyTorchFile } from "../formats/legacy-torch-file.ts";
import type { TensorSource } from "../formats/tensor-source.ts";
import { type FeatureNetConfig, featureLayers } from "../model/feature-net.ts";
import { toFloat32 } from "../tensor/tensor.ts";

/** Of the normalisations, as the net was trained. */
const EPSILON = 1e-3;

export interface FeatureWeight {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/**
 * Reads a net's weights, in the order of its parameters. Closes `source`.
 * @throws ModelFormatError when it holds another net.
 */
export async function readFeatureNet(source: ByteSource, config: FeatureNetConfig): Promise<FeatureWeight[]> {
  const file = await LegacyTorchFile.read(source);
  try {
    return await foldNormalizations(file, config);
  } finally {
    await file.close();
  }
}

/** Convolution and normalisation as one convolution: gamma / sqrt(variance + epsilon) scales its outputs. */
async function foldNormalizations(file: TensorSource, config: FeatureNetConfig): Promise<FeatureWeight[]> {
  const read = async (name: string, shape: readonly number[]): Promise<Float32Array> => {
    const tensor = await file.readTensor(name);
    if (tensor.shape.join() !== shape.join()) {
      throw new ModelFormatError(`"${name}" is [${tensor.shape}], expected [${shape}]`, {
        where: file.name,
        remedy: "give the weights of EfficientNet-lite0",
      });
    }
    return toFloat32(tensor);
  };
  const weights: FeatureWeight[] = [];
  for (const { name, convolution, normalization, shape } of featureLayers(config)) {
    const kernel = await read(`${convolution}.weight`, shape);
    const part = (suffix: string): Promise<Float32Array> => read(`${normalization}.${suffix}`, [shape[0]]);
    const gamma = await part("weight");
    const beta = await part("bias");
    const mean = await part("running_mean");
    const variance = await part("running_var");
    const scales = gamma.map((value, channel) => value / Math.sqrt(variance[channel]! + EPSILON));
    const each = kernel.length / shape[0];
    const data = kernel.map((value, index) => value * scales[Math.floor(index / each)]!);
    const bias = beta.map((value, channel) => value - mean[channel]! * scales[channel]!);
    weights.push(
      { name: `${name}.weight`, shape, data },
      { name: `${name}.bias`, shape: [shape[0]], data: bias },
    );
  }
  return weights;
}
