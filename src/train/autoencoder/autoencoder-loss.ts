/**
 * @file What the autoencoder is trained on: pixels to normalised latents, noise on them, pixels back, and a
 * reconstruction loss over values, local differences and smaller copies.
 */
import { abs, add, mul, scale, square, sub } from "../../graph/operators/elementwise.ts";
import { slice, split } from "../../graph/operators/layout.ts";
import { mean } from "../../graph/operators/reduce.ts";
import { averagePool } from "../../graph/operators/resample.ts";
import type { Dim } from "../../graph/size.ts";
import { input, type Value } from "../../graph/value.ts";
import { decodeLatents, encodePixels } from "../../model/autoencoder.ts";
import { type AutoencoderConfig, pixelsPerLatent } from "../../model/autoencoder-config.ts";
import type { FeatureNetConfig } from "../../model/feature-net.ts";
import { ParameterScope } from "../../model/parameter-scope.ts";
import { perceptualLoss } from "./perceptual-loss.ts";

/** Weights of the terms beside L1 and mean square, which have 1. */
const DIFFERENCE_WEIGHT = 0.5;
const SMALLER_WEIGHT = 0.25;
/** Copies at 1/2 and at 1/4 of the size. */
const SMALLER_COPIES = 2;
/** Differences between channels are taken at 1/4 and 1/8 of the size, where edges do not hide them. */
const CHROMA_COPIES = [2, 3] as const;

/** Neighbour minus pixel along one axis. */
function neighbourDifference(x: Value, axis: 2 | 3): Value {
  const size = x.shape[axis] as Dim;
  const next = slice(x, { axis, start: 1, end: size });
  // Counted from the end, so that a symbolic size needs no arithmetic.
  const previous = slice(x, { axis, start: 0, end: next.shape[axis] as Dim });
  return sub(next, previous);
}

/**
 * Mean over pairs of channels and over copies at 1/4 and 1/8 of L1 of the channels' difference. One axis of colour is
 * learned long after the others where the data hold little of it; this weighs all alike.
 */
function chromaLoss(error: Value): Value {
  const [red, green, blue] = split(error, 1, [1, 1, 1]) as [Value, Value, Value];
  const terms = [sub(red, green), sub(green, blue), sub(blue, red)].flatMap((difference) =>
    CHROMA_COPIES.map((halvings) => {
      let smaller = difference;
      for (let i = 0; i < halvings; i++) smaller = averagePool(smaller);
      return mean(abs(smaller));
    }),
  );
  return scale(
    terms.reduce((total, term) => add(total, term)),
    1 / 3,
  );
}

/**
 * Loss of a reconstruction: L1 + mean square + 0.5 x L1 of the differences between neighbours (of rows and of
 * columns) + 0.25 x L1 of the copies at 1/2 and 1/4 of the size + `chroma` x L1 of differences between channels.
 * reconstruction, target [pictures, channels, height, width], sides multiples of 4 (of 8 with chroma) -> scalar.
 */
export function reconstructionLoss(
  reconstruction: Value,
  target: Value,
  { chroma = 0 }: { readonly chroma?: number } = {},
): { loss: Value; meanSquare: Value } {
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
  if (chroma > 0) loss = add(loss, scale(chromaLoss(error), chroma));
  return { loss, meanSquare };
}

export interface AutoencoderSizes {
  readonly pictures: Dim;
  /** In latent pixels. */
  readonly height: Dim;
  readonly width: Dim;
}

export interface AutoencoderGraphOptions {
  readonly chroma?: number;
  readonly perceptual?: { readonly net: FeatureNetConfig; readonly weight: number } | null;
  /** Default "all". */
  readonly train?: "all" | "decoder";
  /** Latents are an input in place of what the encoder makes of the pixels. */
  readonly givenLatents?: boolean;
}

interface AutoencoderGraph {
  readonly reconstruction: Value;
  readonly loss: Value;
  readonly meanSquare: Value;
  /** Undefined without that loss. */
  readonly perceptual: Value | undefined;
  /** The weights to be trained. */
  readonly parameters: readonly Value[];
}

/**
 * The autoencoder with noise between encoder and decoder. Inputs: `pixels` [pictures, 3, f * height, f * width] in
 * [-1, 1], `noise` [pictures, latentChannels, height, width] ~ N(0, 1), `strength` [pictures, 1, 1, 1], and `latents`
 * like the noise where they are given.
 */
export function autoencoderGraph(
  config: AutoencoderConfig,
  sizes: AutoencoderSizes,
  options: AutoencoderGraphOptions = {},
): AutoencoderGraph {
  const { pictures, height, width } = sizes;
  const factor = pixelsPerLatent(config);
  const times = (dim: Dim): Dim => (typeof dim === "number" ? dim * factor : `${factor}*${dim}`);
  const pixels = input("pixels", "float32", [pictures, config.inChannels, times(height), times(width)]);
  const latentShape = [pictures, config.latentChannels, height, width];
  const noise = input("noise", "float32", latentShape);
  const strength = input("strength", "float32", [pictures, 1, 1, 1]);
  const [encoder, decoder] = [new ParameterScope(), new ParameterScope()];
  const latents =
    options.givenLatents === true
      ? input("latents", "float32", latentShape)
      : encodePixels(encoder, config, pixels).mean;
  const reconstruction = decodeLatents(decoder, config, add(latents, mul(noise, strength)));
  const plain = reconstructionLoss(reconstruction, pixels, options);
  const { net, weight } = options.perceptual ?? { net: undefined, weight: 0 };
  const perceptual = net === undefined ? undefined : perceptualLoss(net, reconstruction, pixels);
  const loss = perceptual === undefined ? plain.loss : add(plain.loss, scale(perceptual, weight));
  const trained = options.train === "decoder" ? [decoder] : [encoder, decoder];
  const parameters = trained.flatMap((scope) => [...scope.values().values()]);
  return { reconstruction, loss, meanSquare: plain.meanSquare, perceptual, parameters };
}
