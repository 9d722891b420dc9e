/** @file Pictures in memory, and pixels as the autoencoder sees them (docs/nextstep-spec.md 2.3). */

import { ShapeError } from "../errors.ts";

/** A picture of 8-bit RGB, row-major: `data[(y * width + x) * 3 + channel]`. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
}

/** Height and width, the order in which the model counts. */
export type ImageSize = readonly [height: number, width: number];

/** Side of a token in pixels: 8 by the autoencoder, 2 by the patch. */
export const PIXELS_PER_TOKEN = 16;

/** (u8 / 255 - 0.5) / 0.5 of each byte, rounded to float32 after every step as the published code rounds. */
const NORMALISED = Float32Array.from({ length: 256 }, (_, byte) => (Math.fround(byte / 255) - 0.5) / 0.5);

/**
 * Pixels as planes of [-1, 1].
 * @returns [3, height, width], written into `out` at `offset` if given
 */
export function toPlanes(image: RgbImage, out?: Float32Array, offset = 0): Float32Array {
  const { width, height, data } = checkImage(image);
  const area = width * height;
  const planes = out ?? new Float32Array(3 * area);
  if (offset + 3 * area > planes.length) {
    throw new ShapeError(`${planes.length - offset} values do not hold 3x${height}x${width}`);
  }
  for (let pixel = 0; pixel < area; pixel++) {
    for (let channel = 0; channel < 3; channel++) {
      planes[offset + channel * area + pixel] = NORMALISED[data[3 * pixel + channel] ?? 0] ?? 0;
    }
  }
  return planes;
}

/**
 * The picture of planes [3, height, width] that start at `offset`: clamp(x / 2 + 0.5, 0, 1) * 255, rounded half to
 * even, each step in float32. NaN becomes 0.
 * Throws ShapeError when the planes are too short.
 */
export function fromPlanes(planes: Float32Array, [height, width]: ImageSize, offset = 0): RgbImage {
  const area = width * height;
  if (offset + 3 * area > planes.length) {
    throw new ShapeError(`${planes.length - offset} values are fewer than 3x${height}x${width}`);
  }
  const data = new Uint8Array(3 * area);
  for (let channel = 0; channel < 3; channel++) {
    for (let pixel = 0; pixel < area; pixel++) {
      data[3 * pixel + channel] = toByte(planes[offset + channel * area + pixel] ?? 0);
    }
  }
  return { width, height, data };
}

function toByte(value: number): number {
  const unit = Math.min(1, Math.max(0, Math.fround(value / 2 + 0.5)));
  return roundHalfEven(Math.fround(unit * 255));
}

/** Rounds to the nearest integer, a half to the even one: Python's and PyTorch's rule. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/** The same image. Throws ShapeError when its data does not have width * height * 3 bytes. */
export function checkImage(image: RgbImage): RgbImage {
  const { width, height, data } = image;
  const whole = Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0;
  if (!whole || data.length !== 3 * width * height) {
    throw new ShapeError(`${data.length} bytes are not a ${width}x${height} RGB image`);
  }
  return image;
}
