/** @file How strong the edges of a picture are: blur weakens them, and no feature of shape shows it. */
import type { RgbImage } from "../image/pixels.ts";
import { greyOf } from "./grey.ts";

/** A difference of neighbours but one, of 255, above which an edge is strong. */
const STRONG = 50;

export interface GradientStrength {
  /** Sum of the gradient's magnitude over all pixels, in levels. */
  readonly all: number;
  /** The same over strong edges alone: stains and noise do not count there, blur does. */
  readonly strong: number;
}

/**
 * Magnitudes of central differences of the grey picture, summed. Divided by those of the real picture of the same size
 * this is the edge ratio: 1 is as sharp, less is blurred. It does not ask where the edges lie, so it holds for drawings
 * that differ from the real picture.
 */
export function gradientStrength(image: RgbImage): GradientStrength {
  const { width, height } = image;
  const grey = greyOf(image);
  let [all, strong] = [0, 0];
  for (let y = 1; y < height - 1; y++) {
    for (let x = 1; x < width - 1; x++) {
      const at = y * width + x;
      const magnitude = Math.hypot(grey[at + 1]! - grey[at - 1]!, grey[at + width]! - grey[at - width]!);
      all += magnitude;
      if (magnitude > STRONG) strong += magnitude;
    }
  }
  return { all, strong };
}
