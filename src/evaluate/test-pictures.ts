/** @file Pictures for tests: plain things in plain colours. */
import type { RgbImage } from "../image/pixels.ts";
import { CounterRng } from "../tensor/counter-rng.ts";

export type Colour = readonly [red: number, green: number, blue: number];

export const WHITE: Colour = [255, 255, 255];

/** A picture whose pixels are what `at` says, in shares of its side from the upper left corner. */
export function painted(side: number, at: (x: number, y: number) => Colour): RgbImage {
  const data = new Uint8Array(3 * side * side);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) data.set(at((x + 0.5) / side, (y + 0.5) / side), 3 * (y * side + x));
  }
  return { width: side, height: side, data };
}

/** What a thing looks like within its own square: a colour, or nothing. */
export type Thing = (x: number, y: number) => Colour | undefined;

export const disc =
  (colour: Colour): Thing =>
  (x, y) =>
    Math.hypot(x - 0.5, y - 0.5) < 0.5 ? colour : undefined;
export const block =
  (colour: Colour): Thing =>
  () =>
    colour;
/** Points to the left: no mirror image of itself. */
export const wedge =
  (colour: Colour): Thing =>
  (x, y) =>
    Math.abs(y - 0.5) < x / 2 ? colour : undefined;
export const ring =
  (colour: Colour): Thing =>
  (x, y) =>
    Math.abs(Math.hypot(x - 0.5, y - 0.5) - 0.38) < 0.12 ? colour : undefined;

/** Left, top and side as shares of the picture's side. */
export type Place = readonly [left: number, top: number, side: number];

/** Where the data's pictures show one thing alone. */
export const MIDDLE: Place = [1 / 16, 1 / 16, 7 / 8];

/** Things at their places on a ground. */
export function scene(
  things: readonly (readonly [Thing, Place])[],
  { side = 64, ground = WHITE }: { readonly side?: number; readonly ground?: Colour } = {},
): RgbImage {
  return painted(side, (x, y) => {
    for (const [thing, [left, top, size]] of things) {
      const [u, v] = [(x - left) / size, (y - top) / size];
      if (u < 0 || v < 0 || u >= 1 || v >= 1) continue;
      const colour = thing(u, v);
      if (colour !== undefined) return colour;
    }
    return ground;
  });
}

/** The picture moved to the right and down by whole pixels, its ground coming in. */
export function moved({ width, height, data }: RgbImage, dx: number, dy: number, ground = WHITE): RgbImage {
  return painted(width, (u, v) => {
    const [x, y] = [Math.floor(u * width) - dx, Math.floor(v * height) - dy];
    if (x < 0 || y < 0 || x >= width || y >= height) return ground;
    const at = 3 * (y * width + x);
    return [data[at]!, data[at + 1]!, data[at + 2]!];
  });
}

/** Mean of the square of 2 `reach` + 1 pixels around each. */
export function blurred({ width, height, data }: RgbImage, reach = 1): RgbImage {
  return painted(width, (u, v) => {
    const [x, y] = [Math.floor(u * width), Math.floor(v * height)];
    const sums = [0, 0, 0];
    let count = 0;
    for (let row = Math.max(0, y - reach); row <= Math.min(height - 1, y + reach); row++) {
      for (let column = Math.max(0, x - reach); column <= Math.min(width - 1, x + reach); column++) {
        count++;
        for (let c = 0; c < 3; c++) sums[c]! += data[3 * (row * width + column) + c]!;
      }
    }
    const [red, green, blue] = sums.map((sum) => Math.round(sum / count)) as [number, number, number];
    return [red, green, blue];
  });
}

/** With normal noise of a deviation in levels. */
export function noisy(image: RgbImage, deviation: number, seed = 1): RgbImage {
  const rng = new CounterRng(seed);
  const data = image.data.map((value) =>
    Math.min(255, Math.max(0, Math.round(value + deviation * rng.normal()))),
  );
  return { ...image, data };
}
