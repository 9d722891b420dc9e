/** @file The sizes that pictures are brought to: a table of aspect ratios at any image size (docs/nextstep-spec.md 4.3). */

import { ConfigError } from "../errors.ts";
import { type ImageSize, PIXELS_PER_TOKEN, roundHalfEven } from "./pixels.ts";

/** Height and width in units of a sixteenth of the image size; each holds 247 to 256 units. */
export const ASPECT_TABLE: readonly ImageSize[] = [
  [8, 32],
  [9, 28],
  [10, 25],
  [11, 23],
  [12, 21],
  [13, 19],
  [14, 18],
  [15, 17],
  [16, 16],
  [17, 15],
  [18, 14],
  [19, 13],
  [21, 12],
  [23, 11],
  [25, 10],
  [28, 9],
  [32, 8],
];

/** The table's own base: a square picture is 16 by 16 units. */
const TABLE_BASE = 16;

/** Aspects by name, width first as photographers and screens have it. */
export const ASPECT_NAMES = [
  "1:1",
  "5:4",
  "4:5",
  "4:3",
  "3:4",
  "3:2",
  "2:3",
  "16:9",
  "9:16",
  "2:1",
  "1:2",
  "21:9",
  "9:21",
  "3:1",
  "1:3",
  "4:1",
  "1:4",
] as const;

export type AspectName = (typeof ASPECT_NAMES)[number];

export interface AspectBucket {
  /** Size that published training crops to: round(imageSize / 16 * unit). Off the token grid unless 256 divides it. */
  readonly pixels: ImageSize;
  /** Tokens of the bucket: round(imageSize / 256 * unit) for tokens of 16 pixels. */
  readonly grid: ImageSize;
  /** Size of that many tokens; with 16 pixels a token equal to `pixels` for image sizes that 256 divides. */
  readonly gridPixels: ImageSize;
}

/**
 * All buckets of an image size, in the order of the table, widest first. Small sizes may round two buckets to one grid.
 * @param pixelsPerToken side of a token: 16 as published.
 * @throws ConfigError unless the image size is a positive multiple of 16.
 */
export function aspectBuckets(imageSize: number, pixelsPerToken = PIXELS_PER_TOKEN): AspectBucket[] {
  if (!Number.isInteger(imageSize) || imageSize <= 0 || imageSize % TABLE_BASE !== 0) {
    throw new ConfigError(`${imageSize} is not an image size`, {
      where: "image_size",
      remedy: `use a positive multiple of ${TABLE_BASE}`,
    });
  }
  return ASPECT_TABLE.map((units) => {
    const tokens = (unit: number) =>
      Math.max(1, roundHalfEven((unit * imageSize) / (pixelsPerToken * TABLE_BASE)));
    const grid: ImageSize = [tokens(units[0]), tokens(units[1])];
    return {
      pixels: [(imageSize / TABLE_BASE) * units[0], (imageSize / TABLE_BASE) * units[1]],
      grid,
      gridPixels: [grid[0] * pixelsPerToken, grid[1] * pixelsPerToken],
    };
  });
}

/**
 * The bucket of a picture: the one whose height / width is nearest, by plain difference, the first of equal ones.
 * Throws ConfigError as {@link aspectBuckets} does.
 */
export function chooseBucket(
  [height, width]: ImageSize,
  imageSize: number,
  pixelsPerToken = PIXELS_PER_TOKEN,
): AspectBucket {
  const buckets = aspectBuckets(imageSize, pixelsPerToken);
  let best = 0;
  let nearest = Number.POSITIVE_INFINITY;
  for (const [index, units] of ASPECT_TABLE.entries()) {
    const distance = Math.abs(height / width - units[0] / units[1]);
    if (distance < nearest) {
      best = index;
      nearest = distance;
    }
  }
  const bucket = buckets[best];
  if (bucket === undefined) throw new ConfigError("no aspect buckets");
  return bucket;
}

/**
 * Size on the token grid for an aspect by name ("16:9" is wide, "3:4" tall).
 * Throws ConfigError as {@link aspectBuckets} does.
 */
export function namedSize(name: AspectName, imageSize: number, pixelsPerToken = PIXELS_PER_TOKEN): ImageSize {
  const [width = 1, height = 1] = name.split(":").map(Number);
  return chooseBucket([height, width], imageSize, pixelsPerToken).gridPixels;
}

export interface CoverGeometry {
  /** Size to which the picture is scaled, its aspect kept. */
  readonly resized: ImageSize;
  /** Rows above and columns left of the crop. */
  readonly offset: readonly [top: number, left: number];
}

/** How a picture is scaled so that it covers `target`, and where the centre crop begins. */
export function coverGeometry([height, width]: ImageSize, target: ImageSize): CoverGeometry {
  const scale = Math.max(target[0] / height, target[1] / width);
  const tall = roundHalfEven(height * scale);
  const wide = roundHalfEven(width * scale);
  return {
    resized: [tall, wide],
    offset: [Math.floor((tall - target[0]) / 2), Math.floor((wide - target[1]) / 2)],
  };
}
