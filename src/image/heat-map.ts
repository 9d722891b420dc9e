/** @file Numbers of a picture's tokens as colours over the picture. */
import type { RgbImage } from "./pixels.ts";

/** From the lowest number to the highest: viridis, which also reads in grey. */
const STOPS: readonly (readonly [number, number, number])[] = [
  [68, 1, 84],
  [59, 82, 139],
  [33, 145, 140],
  [94, 201, 98],
  [253, 231, 37],
];
/** How much of the colour is seen, and how much of the picture. */
const COVER = 0.6;

/**
 * Each token's cell in the colour of its number, over the picture. Where all numbers are equal, all have the lowest colour.
 * @param values [rows * columns], in raster order
 */
export function heatMap(
  picture: RgbImage,
  [rows, columns]: readonly [number, number],
  values: Float32Array,
): RgbImage {
  const { width, height } = picture;
  const lowest = values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
  const highest = values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  const range = highest > lowest ? highest - lowest : 1;
  const colours = Array.from(values, (value) => colourAt((value - lowest) / range));
  const data = new Uint8Array(picture.data.length);
  for (let y = 0; y < height; y++) {
    const row = Math.floor((y * rows) / height);
    for (let x = 0; x < width; x++) {
      const colour = colours[row * columns + Math.floor((x * columns) / width)] as readonly number[];
      for (let channel = 0; channel < 3; channel++) {
        const at = 3 * (y * width + x) + channel;
        data[at] = Math.round(
          COVER * (colour[channel] as number) + (1 - COVER) * (picture.data[at] as number),
        );
      }
    }
  }
  return { width, height, data };
}

/** @param place 0 to 1 */
function colourAt(place: number): readonly number[] {
  const scaled = place * (STOPS.length - 1);
  const below = Math.min(STOPS.length - 2, Math.floor(scaled));
  const part = scaled - below;
  const [from, to] = [STOPS[below] as readonly number[], STOPS[below + 1] as readonly number[]];
  return from.map((value, channel) => value + part * ((to[channel] as number) - value));
}
