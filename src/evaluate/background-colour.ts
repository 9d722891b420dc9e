/** @file Which of the colours that captions name a picture's background has. */
import type { RgbImage } from "../image/pixels.ts";
import type { Rgb } from "../train/data/emoji/emoji-render.ts";
import { BACKGROUNDS, type Background } from "../train/data/emoji/emoji-scenes.ts";

/** Width of the rim that is looked at, as a share of the side: outside of everything but the largest icons. */
const RIM = 1 / 32;

/** The median of each channel over the picture's rim: what the background is, whatever reaches into it. */
export function rimColour({ width, height, data }: RgbImage): Rgb {
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
  const [red, green, blue] = values.map((list) => list.sort((a, b) => a - b)[list.length >> 1]!);
  return [red!, green!, blue!];
}

/** The named colour that is nearest to that of the rim. */
export function backgroundOf(image: RgbImage): Background {
  const rim = rimColour(image);
  const distance = (name: Background): number =>
    BACKGROUNDS[name].reduce((sum, value, channel) => sum + (value - rim[channel]!) ** 2, 0);
  const names = Object.keys(BACKGROUNDS) as Background[];
  return names.reduce((best, name) => (distance(name) < distance(best) ? name : best));
}
