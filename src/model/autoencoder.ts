/** @file The image autoencoder, Flux type (docs/nextstep-spec.md 1.6 and 2.3), under its published tensor names. */

import { conv2d, type Padding } from "../graph/operators/convolution.ts";
import { add, silu } from "../graph/operators/elementwise.ts";
import { split, transpose } from "../graph/operators/layout.ts";
import { matmul } from "../graph/operators/matmul.ts";
import { groupNorm, layerNorm } from "../graph/operators/normalization.ts";
import { pixelShuffle, pixelUnshuffle } from "../graph/operators/pixel-shuffle.ts";
import { upsample } from "../graph/operators/resample.ts";
import { reshape } from "../graph/operators/reshape.ts";
import { softmax } from "../graph/operators/softmax.ts";
import { type Dim, divideSize, multiplySizes } from "../graph/size.ts";
import { shapeError, type Value } from "../graph/value.ts";
import type { AutoencoderConfig } from "./autoencoder-config.ts";
import type { ParameterScope } from "./parameter-scope.ts";

/** Added to the variance by every normalisation. */
export const EPSILON = 1e-6;

/** With bias; padding by default such that the size stays. */
export function conv(
  scope: ParameterScope,
  name: string,
  x: Value,
  outputs: number,
  kernel: number,
  padding?: Padding,
): Value {
  const weight = scope.get(`${name}.weight`, [outputs, x.shape[1] as number, kernel, kernel]);
  return conv2d(x, weight, scope.get(`${name}.bias`, [outputs]), padding === undefined ? {} : { padding });
}

function norm(scope: ParameterScope, config: AutoencoderConfig, name: string, x: Value): Value {
  const channels = x.shape[1] as number;
  const weight = scope.get(`${name}.weight`, [channels]);
  return groupNorm(x, config.groups, weight, scope.get(`${name}.bias`, [channels]), EPSILON);
}

/** x + conv2(swish(norm2(conv1(swish(norm1(x)))))), the shortcut through a 1 x 1 convolution when channels change. */
function resBlock(
  scope: ParameterScope,
  config: AutoencoderConfig,
  name: string,
  x: Value,
  outputs: number,
): Value {
  const first = conv(scope, `${name}.conv1`, silu(norm(scope, config, `${name}.norm1`, x)), outputs, 3);
  const second = conv(scope, `${name}.conv2`, silu(norm(scope, config, `${name}.norm2`, first)), outputs, 3);
  return add(x.shape[1] === outputs ? x : conv(scope, `${name}.nin_shortcut`, x, outputs, 1), second);
}

/** Single-head attention over all latent pixels, residual. x [n, c, h, w] -> same. */
function attention(scope: ParameterScope, config: AutoencoderConfig, name: string, x: Value): Value {
  const [pictures, channels, height, width] = x.shape as [Dim, number, Dim, Dim];
  const normal = norm(scope, config, `${name}.norm`, x);
  const flat = (part: string): Value =>
    reshape(conv(scope, `${name}.${part}`, normal, channels, 1), [
      pictures,
      channels,
      multiplySizes(height, width),
    ]);
  const [query, key, value] = [flat("q"), flat("k"), flat("v")]; // [n, c, pixels]
  const scores = matmul(query, key, { transA: true, alpha: 1 / Math.sqrt(channels) }); // [n, pixels, pixels]
  const mixed = matmul(value, softmax(scores), { transB: true }); // [n, c, pixels]
  return add(x, conv(scope, `${name}.proj_out`, reshape(mixed, x.shape), channels, 1));
}

function middle(scope: ParameterScope, config: AutoencoderConfig, name: string, x: Value): Value {
  const channels = x.shape[1] as number;
  const first = resBlock(scope, config, `${name}.block_1`, x, channels);
  return resBlock(
    scope,
    config,
    `${name}.block_2`,
    attention(scope, config, `${name}.attn_1`, first),
    channels,
  );
}

export interface Posterior {
  /** Normalised as the configuration says. [n, latentChannels, height, width] */
  readonly mean: Value;
  readonly logvar: Value;
}

/**
 * Pixels in [-1, 1] to the posterior. pixels [n, 3, f * height, f * width] with f = {@link pixelsPerLatent}, sides
 * being whole multiples of f, and of f * patchSize when the mean is normalised over patches.
 */
export function encodePixels(scope: ParameterScope, config: AutoencoderConfig, pixels: Value): Posterior {
  const { channels, multipliers, blocks, latentChannels } = config;
  let x = conv(scope, "encoder.conv_in", pixelUnshuffle(pixels, config.pixelShuffle), channels, 3);
  multipliers.forEach((multiplier, level) => {
    for (let block = 0; block < blocks; block++) {
      x = resBlock(scope, config, `encoder.down.${level}.block.${block}`, x, channels * multiplier);
    }
    if (level < multipliers.length - 1) x = downsample(scope, `encoder.down.${level}.downsample.conv`, x);
  });
  x = middle(scope, config, "encoder.mid", x);
  const moments = conv(
    scope,
    "encoder.conv_out",
    silu(norm(scope, config, "encoder.norm_out", x)),
    2 * latentChannels,
    3,
  );
  const [mean, logvar] = split(moments, 1, [latentChannels, latentChannels]) as [Value, Value];
  return { mean: config.encoderNorm ? normalizeLatents(mean, config.patchSize ?? 1) : mean, logvar };
}

/** 3 x 3 convolution of stride 2 with zeros added below and to the right only. */
function downsample(scope: ParameterScope, name: string, x: Value): Value {
  const channels = x.shape[1] as number;
  const weight = scope.get(`${name}.weight`, [channels, channels, 3, 3]);
  return conv2d(x, weight, scope.get(`${name}.bias`, [channels]), {
    stride: 2,
    padding: { top: 0, left: 0, bottom: 1, right: 1 },
  });
}

/** Each patch x patch x channels block to mean 0 and variance 1. [n, c, h, w] -> same. */
export function normalizeLatents(mean: Value, patch: number): Value {
  const [pictures, channels, height, width] = mean.shape as [Dim, number, Dim, Dim];
  const rows = divideSize(height, patch);
  const columns = divideSize(width, patch);
  if (rows === undefined || columns === undefined || multiplySizes(rows, patch) !== height) {
    throw shapeError("normalizeLatents", `[${mean.shape}] does not divide into patches of ${patch}`);
  }
  const blocks = reshape(mean, [pictures, channels, rows, patch, columns, patch]);
  const tokens = reshape(transpose(blocks, [0, 2, 4, 1, 3, 5]), [
    pictures,
    rows,
    columns,
    channels * patch * patch,
  ]);
  const normal = reshape(layerNorm(tokens, EPSILON), [pictures, rows, columns, channels, patch, patch]);
  return reshape(transpose(normal, [0, 3, 1, 4, 2, 5]), mean.shape);
}

/** Latents (already divided by the scaling factor and shifted) to pixels. z [n, latentChannels, h, w] -> [n, 3, f h, f w] */
export function decodeLatents(scope: ParameterScope, config: AutoencoderConfig, z: Value): Value {
  const { channels, multipliers, blocks } = config;
  const widest = channels * (multipliers.at(-1) as number);
  let x = middle(scope, config, "decoder.mid", conv(scope, "decoder.conv_in", z, widest, 3));
  for (let level = multipliers.length - 1; level >= 0; level--) {
    const width = channels * (multipliers[level] as number);
    for (let block = 0; block <= blocks; block++) {
      x = resBlock(scope, config, `decoder.up.${level}.block.${block}`, x, width);
    }
    if (level > 0) x = conv(scope, `decoder.up.${level}.upsample.conv`, upsample(x), width, 3);
  }
  const last = silu(norm(scope, config, "decoder.norm_out", x));
  const outputs = config.outChannels * config.pixelShuffle ** 2;
  return pixelShuffle(conv(scope, "decoder.conv_out", last, outputs, 3), config.pixelShuffle);
}
