/** @file Random crops that show something: most of an icon's picture is its plain background. */
import type { RgbImage } from "../../image/pixels.ts";
import type { CounterRng } from "../../tensor/counter-rng.ts";

const ATTEMPTS = 8;
/** A crop is looked at on a grid of this many pixels a side. */
const PROBES = 16;
/** Share of probes that must differ from the picture's corner. */
const MINIMUM_CONTENT = 0.25;
/** Sum over channels, of 765, from which a colour counts as another. */
const COLOUR_DIFFERENCE = 24;

function contentShare({ data, width }: RgbImage, top: number, left: number, side: number): number {
  let differing = 0;
  for (let row = 0; row < PROBES; row++) {
    for (let column = 0; column < PROBES; column++) {
      const y = top + Math.floor(((row + 0.5) * side) / PROBES);
      const x = left + Math.floor(((column + 0.5) * side) / PROBES);
      const at = 3 * (y * width + x);
      let difference = 0;
      for (let channel = 0; channel < 3; channel++) {
        difference += Math.abs(data[at + channel]! - data[channel]!);
      }
      if (difference >= COLOUR_DIFFERENCE) differing++;
    }
  }
  return differing / PROBES ** 2;
}

function cutSquare({ data, width }: RgbImage, top: number, left: number, side: number): RgbImage {
  const square = new Uint8Array(3 * side * side);
  for (let y = 0; y < side; y++) {
    const start = 3 * ((top + y) * width + left);
    square.set(data.subarray(start, start + 3 * side), 3 * y * side);
  }
  return { width: side, height: side, data: square };
}

/** Where a crop lies in its picture. */
export interface CropPlace {
  readonly top: number;
  readonly left: number;
}

/**
 * A random place for a square crop of `side` pixels, drawn again (a few times at most) while the crop is nearly plain.
 * `picture` must be at least that large.
 * @param grid places are whole multiples of this.
 */
export function contentPlace(picture: RgbImage, side: number, rng: CounterRng, grid = 1): CropPlace {
  const { width, height } = picture;
  let place = { top: 0, left: 0 };
  if (width === side && height === side) return place;
  const draw = (size: number): number => grid * rng.below(Math.floor((size - side) / grid) + 1);
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    place = { top: draw(height), left: draw(width) };
    if (contentShare(picture, place.top, place.left, side) >= MINIMUM_CONTENT) break;
  }
  return place;
}

/** The square crop at a place; the picture itself where that is the whole of it. */
export function cropAt(picture: RgbImage, side: number, { top, left }: CropPlace): RgbImage {
  return picture.width === side && picture.height === side ? picture : cutSquare(picture, top, left, side);
}
