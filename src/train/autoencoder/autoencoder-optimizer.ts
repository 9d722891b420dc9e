/** @file Which optimizer trains which weights of the autoencoder. */
import type { Engine } from "../../runtime/engine.ts";
import { adamW } from "../optimizer/adamw.ts";
import { muon } from "../optimizer/muon.ts";
import { combineOptimizers, type Optimizer, type ParameterGroup } from "../optimizer/optimizer.ts";
import type { Trainable } from "../optimizer/trainable.ts";
import { isDecayed } from "../optimizer/weight-decay.ts";
import type { AutoencoderTrainConfig } from "./autoencoder-train-config.ts";

/** Pixels and latents are no hidden features: their layers stay with AdamW. */
const OUTER_LAYER = /\.conv_(in|out)\.weight$/;

/** Whether Muon trains a weight where it is asked for: the convolutions inside. */
export function isHiddenConvolution({ name, shape }: Pick<Trainable, "name" | "shape">): boolean {
  return shape.length === 4 && !OUTER_LAYER.test(name);
}

/** A convolution as the matrix [out, in * k * k] on the same memory. */
function asMatrix(weight: Trainable): Trainable {
  const [outputs] = weight.shape as readonly [number];
  return { ...weight, shape: [outputs, weight.data.length / outputs] };
}

export async function autoencoderOptimizer(
  engine: Engine,
  config: Pick<AutoencoderTrainConfig, "optimizer" | "muon">,
  trainables: readonly Trainable[],
): Promise<Optimizer> {
  const { learningRate, weightDecay, betas, epsilon } = config.optimizer;
  const isMuons = (weight: Trainable): boolean => config.muon !== null && isHiddenConvolution(weight);
  const group = (decayed: boolean): ParameterGroup => ({
    parameters: trainables.filter((weight) => !isMuons(weight) && isDecayed(weight.name) === decayed),
    learningRate,
    weightDecay: decayed ? weightDecay : 0,
  });
  const others = adamW([group(true), group(false)], { betas, epsilon });
  if (config.muon === null) return others;
  const { momentum, ...rates } = config.muon;
  const hidden = { parameters: trainables.filter(isMuons).map(asMatrix), ...rates };
  return combineOptimizers([others, await muon(engine, [hidden], { momentum })]);
}
