/** @file The two halves of the autoencoder as generation runs them. */
import { type OnnxModel, writeOnnx } from "../graph/onnx-writer.ts";
import { input } from "../graph/value.ts";
import { decodeLatents, encodePixels, normalizeLatents } from "../model/autoencoder.ts";
import { bandOfPass } from "../model/autoencoder-band.ts";
import { type AutoencoderConfig, pixelsPerLatent } from "../model/autoencoder-config.ts";
import type { AutoencoderPass } from "../model/autoencoder-passes.ts";
import { ParameterScope } from "../model/parameter-scope.ts";
import type { WeightPlan } from "../model/weight-format.ts";

/** Input: `pixels` [pictures, 3, H, W] in [-1, 1]. Output: `mean` [pictures, channels, H / 8, W / 8], normalised. */
export function encoderGraph(config: AutoencoderConfig, plan?: WeightPlan): OnnxModel {
  const side = pixelsPerLatent(config) * (config.patchSize ?? 1);
  const shape = ["pictures", config.inChannels, `${side}*height`, `${side}*width`];
  const { mean } = encodePixels(new ParameterScope(plan), config, input("pixels", "float32", shape));
  return writeOnnx({ mean }, { parameters: "initializers" });
}

/** Input: `latents` [pictures, channels, h, w], unscaled. Output: `pixels` [pictures, 3, 8 h, 8 w]. */
export function decoderGraph(config: AutoencoderConfig, plan?: WeightPlan): OnnxModel {
  const latents = input("latents", "float32", ["pictures", config.latentChannels, "height", "width"]);
  const pixels = decodeLatents(new ParameterScope(plan), config, latents);
  return writeOnnx({ pixels }, { parameters: "initializers" });
}

/** One band of a pass; inputs and outputs as {@link bandOfPass} says. */
export function passGraph(pass: AutoencoderPass, plan?: WeightPlan): OnnxModel {
  const band = bandOfPass(new ParameterScope(plan), pass);
  return writeOnnx({ ...band }, { parameters: "initializers" });
}

/** Input: `mean` [1, channels, p * height, p * width] with p the patch size. Output: `normal`, of the same shape. */
export function latentNormGraph({ patchSize = 1, latentChannels }: AutoencoderConfig): OnnxModel {
  const shape = [1, latentChannels, `${patchSize}*height`, `${patchSize}*width`];
  const normal = normalizeLatents(input("mean", "float32", shape), patchSize);
  return writeOnnx({ normal }, { parameters: "initializers" });
}
