/** @file Picture files to pixels (docs/nextstep-spec.md 4.3): orientation, colour modes, alpha on white. */

import sharp from "sharp";
import { DataFormatError } from "../errors.ts";
import { MAX_PICTURE_BYTES } from "../image/picture-format.ts";
import { checkImage, type RgbImage } from "../image/pixels.ts";
import { readWholeFile } from "./file-source.ts";

/** Most pixels of a picture that is opened. 64 megapixels are 192 MB of RGB. */
export const MAX_PIXELS = 1 << 26;

/**
 * Raster formats only: vector and document formats can name other files, and their size is a matter of opinion.
 * `heif` includes AVIF.
 */
const FORMATS: ReadonlySet<string> = new Set(["jpeg", "png", "webp", "gif", "tiff", "heif"]);

/**
 * Decodes a picture: turned upright by its EXIF tag, first frame, 8 bits, transparent parts on white. Colour profiles
 * are ignored, as published training ignores them, those of inks (CMYK) too.
 * Throws DataFormatError for bytes that are no picture, are damaged, or hold more than `maxPixels` pixels.
 * @param where names the picture in errors
 */
export async function decodeImage(
  bytes: Uint8Array,
  where: string,
  { maxPixels = MAX_PIXELS }: { readonly maxPixels?: number } = {},
): Promise<RgbImage> {
  try {
    const input = sharp(bytes, { failOn: "error", limitInputPixels: false, ignoreIcc: true });
    const { format, space, depth, width, height } = await input.metadata();
    if (!FORMATS.has(format)) throw unreadable(where, `${format} is not a picture format that is read`);
    if (width * height > maxPixels)
      throw unreadable(where, `${width}x${height} is more than ${maxPixels} pixels`);
    const isCmyk = space === "cmyk";
    // The codec would cut them to 8 bits where it should scale.
    if (isCmyk && depth !== "uchar") throw unreadable(where, "CMYK of more than 8 bits is not read");
    const { data, info } = await input
      .autoOrient()
      // Of inks the codec would make colours by a profile of its own choice.
      .toColourspace(isCmyk ? "cmyk" : "srgb")
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    return onWhite(isCmyk ? withoutInks({ ...info, data }) : { ...info, data });
  } catch (error) {
    if (error instanceof DataFormatError) throw error;
    throw unreadable(where, "cannot be decoded: damaged, incomplete or of no known format", error);
  }
}

/**
 * Decodes a picture file.
 * Throws InputError when there is no such file, DataFormatError as {@link decodeImage} does.
 */
export async function readImage(
  path: string,
  options: { readonly maxPixels?: number } = {},
): Promise<RgbImage> {
  const bytes = await readWholeFile(path, MAX_PICTURE_BYTES);
  return decodeImage(bytes, path, options);
}

interface RawPixels {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
}

/** Cyan, magenta, yellow, black, and maybe alpha, to red, green, blue and alpha. */
function withoutInks({ data, width, height, channels }: RawPixels): RawPixels {
  const colours = new Uint8Array((channels - 1) * width * height);
  for (let from = 0, to = 0; from < data.length; from += channels, to += channels - 1) {
    const light = 255 - (data[from + 3] ?? 0);
    for (let ink = 0; ink < 3; ink++) colours[to + ink] = light - times255th(data[from + ink] ?? 0, light);
    if (channels > 4) colours[to + 3] = data[from + 4] ?? 255;
  }
  return { data: colours, width, height, channels: channels - 1 };
}

/** a * b / 255, rounded, as Pillow's conversions have it (MULDIV255). */
function times255th(a: number, b: number): number {
  const sum = a * b + 128;
  return ((sum >> 8) + sum) >> 8;
}

/** Spreads grey over three channels and lays transparent parts on white. */
function onWhite({ data, width, height, channels }: RawPixels): RgbImage {
  if (channels === 3) return checkImage({ width, height, data: new Uint8Array(data) });
  const colours = channels >= 3 ? 3 : 1;
  const hasAlpha = channels === 2 || channels === 4;
  const rgb = new Uint8Array(3 * width * height);
  for (let pixel = 0; pixel < width * height; pixel++) {
    const at = pixel * channels;
    const alpha = hasAlpha ? (data[at + channels - 1] ?? 255) : 255;
    for (let channel = 0; channel < 3; channel++) {
      const value = data[at + (colours === 3 ? channel : 0)] ?? 0;
      rgb[3 * pixel + channel] = overWhite(value, alpha);
    }
  }
  return { width, height, data: rgb };
}

/** Pillow's alpha_composite over opaque white: 7 extra bits, then a division by 255 in shifts. */
function overWhite(value: number, alpha: number): number {
  const sum = value * alpha * 128 + 255 * (255 - alpha) * 128 + (128 << 7);
  return ((sum >> 8) + sum) >> 15;
}

function unreadable(where: string, reason: string, cause?: unknown): DataFormatError {
  return new DataFormatError(reason, {
    where,
    remedy: "use a JPEG, PNG, WebP, GIF, TIFF or AVIF picture",
    ...(cause === undefined ? {} : { cause }),
  });
}
