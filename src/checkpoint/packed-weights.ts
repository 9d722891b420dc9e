/** @file Weights put into the formats of a plan while they are bound, from a set that stores them as floats. */
import { ModelFormatError } from "../errors.ts";
import { quantizeBlocks } from "../model/block-quantization.ts";
import {
  type BlockFormat,
  packedWeightOf,
  scalesName,
  type WeightPlan,
  zeroPointsName,
} from "../model/weight-format.ts";
import type { StoredWeight, WeightSource } from "../runtime/engine.ts";
import { fromFloat32 } from "../tensor/tensor.ts";
import type { TensorSet } from "./tensor-set.ts";

/**
 * For graphs that were built with the same plan. A matrix in blocks is rounded when the first of its parts is asked
 * for; the others are kept until their turn comes.
 */
export function packWeights(tensors: TensorSet, plan: WeightPlan): WeightSource {
  const stored = tensors.weightSource;
  const parts = new Map<string, StoredWeight>();
  return async (port) => {
    const { name, dtype } = port;
    const weight = packedWeightOf(name);
    const format = plan(weight);
    if (typeof format === "object" && (dtype === "uint8" || weight !== name)) {
      if (!parts.has(name)) for (const part of await pack(tensors, weight, format)) parts.set(...part);
      const part = parts.get(name) as StoredWeight;
      parts.delete(name);
      return part;
    }
    const isHalf = dtype === "float16" || dtype === "bfloat16";
    if (!isHalf || tensors.entry(name).dtype === dtype) return stored(port);
    return fromFloat32(dtype, tensors.entry(name).shape, await tensors.read(name));
  };
}

/** Every parameter that stands for a matrix, by name. */
async function pack(
  tensors: TensorSet,
  weight: string,
  format: BlockFormat,
): Promise<[string, StoredWeight][]> {
  const { shape } = tensors.entry(weight);
  const [outputs, inputs] = shape;
  if (outputs === undefined || inputs === undefined || shape.length !== 2) {
    throw new ModelFormatError(`tensor "${weight}" [${shape}] is no matrix`, { where: tensors.name });
  }
  const { packed, scales, zeroPoints } = quantizeBlocks(await tensors.read(weight), outputs, inputs, format);
  const parts: [string, StoredWeight][] = [
    [weight, { dtype: "uint8", data: packed }],
    [scalesName(weight), scales],
  ];
  if (zeroPoints !== undefined) parts.push([zeroPointsName(weight), { dtype: "uint8", data: zeroPoints }]);
  return parts;
}
