/** @file Whether an edit did what was asked, and whether it left the rest as it was. */
import type { RgbImage } from "../image/pixels.ts";

/** Levels by which a pixel differs if the edit is to change it, and up to which it is to be kept. */
const CHANGED = 24;
const KEPT = 4;
/** By what factor a result must be nearer to what was asked for. */
const NEARER = 2;
/** Fewer pixels than this share are no ground to judge on. */
const LEAST_SHARE = 0.005;
/** Rounding to 8 bits alone leaves about 59 dB. */
const MOST_DECIBELS = 60;

/** The largest difference of the channels of one pixel. */
function differenceAt(a: RgbImage, b: RgbImage, pixel: number): number {
  let most = 0;
  for (let at = 3 * pixel; at < 3 * pixel + 3; at++)
    most = Math.max(most, Math.abs(a.data[at]! - b.data[at]!));
  return most;
}

function squaresAt(a: RgbImage, b: RgbImage, pixel: number): number {
  let sum = 0;
  for (let at = 3 * pixel; at < 3 * pixel + 3; at++) sum += (a.data[at]! - b.data[at]!) ** 2;
  return sum;
}

/**
 * Whether the change happened: over the pixels that differ between both pictures, the result is at least twice as near,
 * in levels, to the one that was asked for as to the one that was given. All of one size. An even mush of both is
 * equally near, whatever a decoder leaves out of the asked picture. Undefined where there was nothing to change.
 */
export function isChanged(result: RgbImage, source: RgbImage, target: RgbImage): boolean | undefined {
  const pixels = source.width * source.height;
  let [toTarget, toSource, count] = [0, 0, 0];
  for (let pixel = 0; pixel < pixels; pixel++) {
    if (differenceAt(source, target, pixel) <= CHANGED) continue;
    count++;
    toTarget += squaresAt(result, target, pixel);
    toSource += squaresAt(result, source, pixel);
  }
  return count < LEAST_SHARE * pixels ? undefined : NEARER ** 2 * toTarget < toSource;
}

/**
 * Peak signal-to-noise ratio in dB, at most 60, over the pixels that the edit should leave alone. All of one size.
 * Undefined where it should change everything.
 */
export function keptDecibels(result: RgbImage, source: RgbImage, target: RgbImage): number | undefined {
  const pixels = source.width * source.height;
  let [squares, count] = [0, 0];
  for (let pixel = 0; pixel < pixels; pixel++) {
    if (differenceAt(source, target, pixel) > KEPT) continue;
    count++;
    squares += squaresAt(result, target, pixel);
  }
  if (count < LEAST_SHARE * pixels) return undefined;
  return Math.min(MOST_DECIBELS, -10 * Math.log10(squares / (3 * count * 255 ** 2)));
}

/** The picture with left and right exchanged. */
export function mirrored({ width, height, data }: RgbImage): RgbImage {
  const flipped = new Uint8Array(data.length);
  for (let pixel = 0; pixel < width * height; pixel++) {
    const x = pixel % width;
    const from = 3 * (pixel - x + width - 1 - x);
    flipped.set(data.subarray(from, from + 3), 3 * pixel);
  }
  return { width, height, data: flipped };
}
