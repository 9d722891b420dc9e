/**
 * @file What the autoencoder is trained on: pixels to normalised latents, noise on them, pixels back, and a
 * reconstruction loss over values, local differences and smaller copies.
 */
import { abs, add, mul, scale, square, sub } from "../../graph/operators/elementwise.ts";
import { slice } from "../../graph/operators/layout.ts";
import { mean } from "../../graph/operators/reduce.ts";
import { averagePool } from "../../graph/operators/resample.ts";
import type { Dim } from "../../graph/size.ts";
import { input, type Value } from "../../graph/value.ts";
import { decodeLatents, encodePixels } from "../../model/autoencoder.ts";
import { type AutoencoderConfig, pixelsPerLatent } from "../../model/autoencoder-config.ts";
import { ParameterScope } from "../../model/parameter-scope.ts";

/** Weights of the terms beside L1 and mean square, which have 1. */
const DIFFERENCE_WEIGHT = 0.5;
const SMALLER_WEIGHT = 0.25;
/** Copies at 1/2 and at 1/4 of the size. */
const SMALLER_COPIES = 2;

/** Neighbour minus pixel along one axis. */
function neighbourDifference(x: Value, axis: 2 | 3): Value {
  const size = x.shape[axis] as Dim;
  const next = slice(x, { axis, start: 1, end: size });
  // Counted from the end, so that a symbolic size needs no arithmetic.
  const previous = slice(x, { axis, start: 0, end: next.shape[axis] as Dim });
  return sub(next, previous);
}

/**
 * Loss of a reconstruction: L1 + mean square + 0.5 x L1 of the differences between neighbours (of rows and of
 * columns) + 0.25 x L1 of the copies at 1/2 and 1/4 of the size.
 * reconstruction, target [pictures, channels, height, width], sides multiples of 4 -> scalar.
 */
export function reconstructionLoss(reconstruction: Value, target: Value): { loss: Value; meanSquare: Value } {
  // Differences and averages are linear: one error picture serves every term.
  const error = sub(reconstruction, target);
  const meanSquare = mean(square(error));
  let loss = add(mean(abs(error)), meanSquare);
  for (const axis of [2, 3] as const) {
    loss = add(loss, scale(mean(abs(neighbourDifference(error, axis))), DIFFERENCE_WEIGHT));
  }
  let smaller = error;
  for (let copy = 0; copy < SMALLER_COPIES; copy++) {
    smaller = averagePool(smaller);
    loss = add(loss, scale(mean(abs(smaller)), SMALLER_WEIGHT));
  }
  return { loss, meanSquare };
}

export interface AutoencoderSizes {
  readonly pictures: Dim;
  /** In latent pixels. */
  readonly height: Dim;
  readonly width: Dim;
}

interface AutoencoderGraph {
  readonly reconstruction: Value;
  readonly loss: Value;
  readonly meanSquare: Value;
  readonly parameters: readonly Value[];
}

/**
 * The autoencoder with noise between encoder and decoder. Inputs: `pixels` [pictures, 3, f * height, f * width] in
 * [-1, 1], `noise` [pictures, latentChannels, height, width] ~ N(0, 1), `strength` [pictures, 1, 1, 1].
 */
export function autoencoderGraph(config: AutoencoderConfig, sizes: AutoencoderSizes): AutoencoderGraph {
  const { pictures, height, width } = sizes;
  const factor = pixelsPerLatent(config);
  const times = (dim: Dim): Dim => (typeof dim === "number" ? dim * factor : `${factor}*${dim}`);
  const pixels = input("pixels", "float32", [pictures, config.inChannels, times(height), times(width)]);
  const noise = input("noise", "float32", [pictures, config.latentChannels, height, width]);
  const strength = input("strength", "float32", [pictures, 1, 1, 1]);
  const scope = new ParameterScope();
  const { mean: latents } = encodePixels(scope, config, pixels);
  const reconstruction = decodeLatents(scope, config, add(latents, mul(noise, strength)));
  const { loss, meanSquare } = reconstructionLoss(reconstruction, pixels);
  return { reconstruction, loss, meanSquare, parameters: [...scope.values().values()] };
}
