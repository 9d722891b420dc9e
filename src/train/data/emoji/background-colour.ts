/** @file Which of the colours that captions name a picture's background has. */
import type { RgbImage } from "../../../image/pixels.ts";
import type { Rgb } from "./emoji-render.ts";
import { BACKGROUNDS, type Background } from "./emoji-scenes.ts";

/** Levels by which channels of a plain background differ from their median: compression, a soft shadow. */
const PLAIN_SPREAD = 16;
/** Share of a plain background's rim that is near its median: something may reach to the edge. */
const PLAIN_SHARE = 0.9;
/** Levels, root mean square over the channels, by which a background may differ from the colour that names it. */
const NAMED_WITHIN = 48;

/** Width of the rim that is looked at, as a share of the side: outside of everything but the largest icons. */
const RIM = 1 / 32;

/** The channels of the pixels of a picture's rim. */
function rimOf({ width, height, data }: RgbImage): readonly [number[], number[], number[]] {
  const rim = Math.max(1, Math.round(RIM * Math.min(width, height)));
  const values: [number[], number[], number[]] = [[], [], []];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (Math.min(x, y, width - 1 - x, height - 1 - y) >= rim) continue;
      for (let channel = 0; channel < 3; channel++) {
        values[channel]!.push(data[3 * (y * width + x) + channel]!);
      }
    }
  }
  return values;
}

function medians(values: readonly (readonly number[])[]): Rgb {
  const [red, green, blue] = values.map((list) => list.toSorted((a, b) => a - b)[list.length >> 1]!);
  return [red!, green!, blue!];
}

/** The median of each channel over the picture's rim: what the background is, whatever reaches into it. */
export function rimColour(image: RgbImage): Rgb {
  return medians(rimOf(image));
}

function nearestName(colour: Rgb): { readonly name: Background; readonly levels: number } {
  const levels = (name: Background): number => {
    const squares = BACKGROUNDS[name].reduce(
      (sum, value, channel) => sum + (value - colour[channel]!) ** 2,
      0,
    );
    return Math.sqrt(squares / 3);
  };
  const names = Object.keys(BACKGROUNDS) as Background[];
  const name = names.reduce((best, other) => (levels(other) < levels(best) ? other : best));
  return { name, levels: levels(name) };
}

/** The named colour that is nearest to that of the rim. */
export function backgroundOf(image: RgbImage): Background {
  return nearestName(rimColour(image)).name;
}

/** A background of one colour, as it is and as it is called. */
export interface PlainGround {
  readonly colour: Rgb;
  readonly name: Background;
}

/** The background of one colour; undefined for any other, and for a colour that is far from all that have names. */
export function plainGround(image: RgbImage): PlainGround | undefined {
  const rim = rimOf(image);
  const colour = medians(rim);
  const count = rim[0].length;
  let near = 0;
  for (let at = 0; at < count; at++) {
    if (rim.every((values, channel) => Math.abs(values[at]! - colour[channel]!) <= PLAIN_SPREAD)) near++;
  }
  const { name, levels } = nearestName(colour);
  return near >= PLAIN_SHARE * count && levels <= NAMED_WITHIN ? { colour, name } : undefined;
}

/** The name of a {@link plainGround}. */
export function plainBackground(image: RgbImage): Background | undefined {
  return plainGround(image)?.name;
}
