/** @file The published ways to bring a picture to a size (docs/nextstep-spec.md 4.3). */

import { coverGeometry } from "./aspect-buckets.ts";
import { type ImageSize, type RgbImage, roundHalfEven } from "./pixels.ts";
import { type Filter, resample } from "./resample.ts";

/** Multi-aspect mode: scales with Lanczos so that the picture covers `target`, and crops the centre. */
export function coverAndCrop(image: RgbImage, target: ImageSize): RgbImage {
  const { resized, offset } = coverGeometry([image.height, image.width], target);
  return resample(image, resized, "lanczos", { offset, size: target });
}

/**
 * Stretches to `target` without a crop. Multi-aspect training without crops uses Lanczos, the published editing
 * example bicubic.
 */
export function stretch(image: RgbImage, target: ImageSize, filter: Filter): RgbImage {
  return resample(image, target, filter);
}

/**
 * Square mode, as in ADM: halves the picture with a box filter while its short side is at least twice `side`, scales
 * the short side to `side` with bicubic, and crops the centre.
 */
export function squareCrop(image: RgbImage, side: number): RgbImage {
  let small = image;
  while (Math.min(small.width, small.height) >= 2 * side) {
    small = resample(small, [Math.floor(small.height / 2), Math.floor(small.width / 2)], "box");
  }
  const scale = side / Math.min(small.width, small.height);
  const fitted: ImageSize = [roundHalfEven(small.height * scale), roundHalfEven(small.width * scale)];
  const offset = [Math.floor((fitted[0] - side) / 2), Math.floor((fitted[1] - side) / 2)] as const;
  return resample(small, fitted, "bicubic", { offset, size: [side, side] });
}
