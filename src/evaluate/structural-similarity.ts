/** @file Structural similarity (Wang, Bovik, Sheikh, Simoncelli: Image quality assessment, IEEE TIP 2004). */
import type { RgbImage } from "../image/pixels.ts";
import { greyOf } from "./grey.ts";

const WINDOW = 11;
const DEVIATION = 1.5;
const C1 = (0.01 * 255) ** 2;
const C2 = (0.03 * 255) ** 2;

const WEIGHTS: readonly number[] = (() => {
  const raw = Array.from({ length: WINDOW }, (_, i) =>
    Math.exp(-((i - (WINDOW - 1) / 2) ** 2) / (2 * DEVIATION ** 2)),
  );
  const total = raw.reduce((a, b) => a + b, 0);
  return raw.map((value) => value / total);
})();

/**
 * Mean SSIM of the grey pictures over all places of a Gaussian window of 11 pixels that lies inside; 1 for equal ones.
 * Both of one size, at least 11 pixels a side.
 */
export function structuralSimilarity(a: RgbImage, b: RgbImage): number {
  const { width, height } = a;
  const [x, y] = [greyOf(a), greyOf(b)];
  const local = (plane: Float64Array): Float64Array => blur(plane, width, height);
  const [meanX, meanY] = [local(x), local(y)];
  const squareX = local(x.map((value) => value * value));
  const squareY = local(y.map((value) => value * value));
  const product = local(x.map((value, index) => value * y[index]!));
  let total = 0;
  for (let i = 0; i < meanX.length; i++) {
    const [mx, my] = [meanX[i]!, meanY[i]!];
    const covariance = product[i]! - mx * my;
    const variances = squareX[i]! - mx * mx + squareY[i]! - my * my;
    total += ((2 * mx * my + C1) * (2 * covariance + C2)) / ((mx * mx + my * my + C1) * (variances + C2));
  }
  return total / meanX.length;
}

/** Weighted means around each place, [height - 10, width - 10]. */
function blur(plane: Float64Array, width: number, height: number): Float64Array {
  const columns = width - WINDOW + 1;
  const rows = height - WINDOW + 1;
  const along = new Float64Array(height * columns);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < columns; x++) {
      let sum = 0;
      for (let i = 0; i < WINDOW; i++) sum += WEIGHTS[i]! * plane[y * width + x + i]!;
      along[y * columns + x] = sum;
    }
  }
  const result = new Float64Array(rows * columns);
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      let sum = 0;
      for (let i = 0; i < WINDOW; i++) sum += WEIGHTS[i]! * along[(y + i) * columns + x]!;
      result[y * columns + x] = sum;
    }
  }
  return result;
}
