/** @file Grey of a picture. */
import type { RgbImage } from "../image/pixels.ts";

/** Luma by ITU-R BT.601, 0 to 255, [height, width]. */
export function greyOf({ width, height, data }: RgbImage): Float64Array {
  return Float64Array.from(
    { length: width * height },
    (_, pixel) => 0.299 * data[3 * pixel]! + 0.587 * data[3 * pixel + 1]! + 0.114 * data[3 * pixel + 2]!,
  );
}
