/** @file What running the autoencoder takes besides its weights, from configuration and size alone. */
import { type AutoencoderConfig, pixelsPerLatent } from "./autoencoder-config.ts";

const FLOAT_BYTES = 4;

/** Largest results of layers that are there at once in the whole graph: x, its shortcut's source and two of a norm. */
const HELD_AT_ONCE = 4;

/**
 * Pictures are computed at once up to this estimate, in bands beyond. Gaps in the engine's memory have been seen to add
 * nearly half, so that this is what stays within 2 GB. It depends on nothing of the machine: bands round otherwise, and a
 * recipe gives the same picture everywhere. 512 x 512 of the published autoencoder (1.07 GB) is computed at once.
 */
export const MOST_BYTES_AT_ONCE = 1.5e9;

/** Bands in the engine and on the way to it, their weights, and buffers that wait to be collected; measured. */
const BAND_WORKING_BYTES = 4.5e8;

export type AutoencoderDirection = "encode" | "decode";

/** Pixels. */
export type PictureSize = readonly [height: number, width: number];

/** Whether a picture is computed at once, as opposed to in bands of rows. */
export function isComputedAtOnce(
  config: AutoencoderConfig,
  direction: AutoencoderDirection,
  size: PictureSize,
): boolean {
  return bytesAtOnce(config, direction, size) <= MOST_BYTES_AT_ONCE;
}

/** Bytes that encoding or decoding one picture takes at most, besides weights, the way that is chosen for its size. */
export function autoencoderWorkingBytes(
  config: AutoencoderConfig,
  direction: AutoencoderDirection,
  size: PictureSize,
): number {
  if (isComputedAtOnce(config, direction, size)) return bytesAtOnce(config, direction, size);
  return bytesInBands(config, direction, size) + BAND_WORKING_BYTES;
}

/** Channels of the largest result: a decoder enters its last level with those of the level below. */
function widest({ channels, multipliers }: AutoencoderConfig, direction: AutoencoderDirection): number {
  const [first = 1, second = first] = multipliers;
  return channels * (direction === "decode" ? Math.max(first, second) : first);
}

/** Bytes of the largest result of a layer when a picture is computed at once. */
export function largestResultBytes(
  config: AutoencoderConfig,
  direction: AutoencoderDirection,
  [height, width]: PictureSize,
): number {
  return (FLOAT_BYTES * widest(config, direction) * height * width) / config.pixelShuffle ** 2;
}

function bytesAtOnce(config: AutoencoderConfig, direction: AutoencoderDirection, size: PictureSize): number {
  const { channels, multipliers } = config;
  const [height, width] = size;
  const layers = HELD_AT_ONCE * largestResultBytes(config, direction, size);
  const positions = (height * width) / pixelsPerLatent(config) ** 2;
  // Scores and their softmax beside x, its norm, query, key, value and result.
  const attention = positions * (2 * positions + 6 * channels * (multipliers.at(-1) as number));
  return Math.max(layers, FLOAT_BYTES * attention);
}

/** A residual block's two results; or the last level's first, where that is wider, beside a quarter that it is made of. */
function bytesInBands(
  config: AutoencoderConfig,
  direction: AutoencoderDirection,
  [height, width]: PictureSize,
): number {
  const { channels, multipliers, pixelShuffle } = config;
  const [first = 1, second = first] = multipliers;
  const blocks = 2 * channels * first;
  const entry = direction === "decode" ? 1.25 * channels * second : 0;
  const positions = (height * width) / pixelShuffle ** 2;
  return FLOAT_BYTES * positions * Math.max(blocks, entry);
}
