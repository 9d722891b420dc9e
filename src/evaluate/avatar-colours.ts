/** @file The colours of hair and shirt in a portrait. */
import type { RgbImage } from "../image/pixels.ts";
import attributes from "../train/data/emoji/avatar-attributes.json" with { type: "json" };

/** Parts of the height in which hair and shirts lie. */
const HAIR_ABOVE = 0.6;
const SHIRT_BELOW = 0.65;
/** Further from every colour of the palette than this, in levels, a pixel is none of them. */
const FARTHEST = 60;

type Rgb = readonly [number, number, number];

const parse = (hex: string): Rgb => {
  const value = Number.parseInt(hex, 16);
  return [value >> 16, (value >> 8) & 255, value & 255];
};

/** What a portrait has besides: its skin, outlines and ground. */
const OTHERS: readonly Rgb[] = [parse(attributes.skin), [0, 0, 0], [255, 255, 255]];

/** The colour of a palette that most pixels between two heights have; undefined if none has any. */
function mostFrequent(
  { width, height, data }: RgbImage,
  [top, bottom]: readonly [number, number],
  palette: Readonly<Record<string, string>>,
): string | undefined {
  const names = Object.keys(palette);
  const colours = [...Object.values(palette).map(parse), ...OTHERS];
  const counts = new Array<number>(colours.length).fill(0);
  for (let pixel = Math.floor(top * height) * width; pixel < Math.floor(bottom * height) * width; pixel++) {
    const distances = colours.map((colour) =>
      Math.hypot(...colour.map((value, channel) => value - data[3 * pixel + channel]!)),
    );
    const least = Math.min(...distances);
    if (least > FARTHEST) continue;
    const nearest = distances.indexOf(least);
    counts[nearest] = counts[nearest]! + 1;
  }
  const own = counts.slice(0, names.length);
  const most = Math.max(...own);
  return most === 0 ? undefined : names[own.indexOf(most)];
}

export interface AvatarColours {
  readonly hair: string | undefined;
  readonly shirt: string | undefined;
}

/** What a portrait's hair and shirt are, by the words of captions. */
export function avatarColours(image: RgbImage): AvatarColours {
  return {
    hair: mostFrequent(image, [0, HAIR_ABOVE], attributes.hairColours),
    shirt: mostFrequent(image, [SHIRT_BELOW, 1], attributes.shirtColours),
  };
}
