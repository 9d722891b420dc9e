/** @file Pictures of a request, out of the store: their pixels, and a mask's open part. */
import sharp from "sharp";
import { DataFormatError, InputError } from "../../errors.ts";
import { decodeImage, MAX_PIXELS } from "../../files/decode-image.ts";
import { pictureFormat } from "../../image/picture-format.ts";
import type { RgbImage } from "../../image/pixels.ts";
import type { BlobStore } from "../contract/blob-store.ts";
import type { DrawGround } from "../contract/draw-request.ts";
import type { MaskPixels } from "./mask-cells.ts";

export type MaskOpens = Extract<DrawGround, { kind: "mask" }>["opens"];

/** Half-way between the two that a pixel can be nearer to. */
const HALF = 128;

/**
 * @param where names it in errors, by the request's own field
 * @throws InputError for a blob that is not there any more; DataFormatError for one that is no picture; StorageError
 */
export async function readPicture(store: BlobStore, blob: string, where: string): Promise<RgbImage> {
  return decodeImage(await readBlob(store, blob, where), where);
}

/**
 * The part of a mask that is to be drawn.
 *
 * - `transparent`: pixels nearer to transparent than to opaque, whatever their colour, as OpenAI's clients send them.
 * - `white`, `black`: pixels nearer to it in luminance; transparent parts are neither.
 * @throws as {@link readPicture} does
 */
export async function readMask(
  store: BlobStore,
  blob: string,
  opens: MaskOpens,
  where: string,
): Promise<MaskPixels> {
  const { data, width, height } = await decodeWithAlpha(await readBlob(store, blob, where), where);
  const isOpen = OPENS[opens];
  const open = new Uint8Array(width * height);
  for (let pixel = 0; pixel < open.length; pixel++) {
    const [red, green, blue, alpha] = [0, 1, 2, 3].map((channel) => data[4 * pixel + channel] as number);
    const luminance = 0.299 * (red as number) + 0.587 * (green as number) + 0.114 * (blue as number);
    if (isOpen(luminance, alpha as number)) open[pixel] = 1;
  }
  return { width, height, open };
}

const OPENS: Readonly<Record<MaskOpens, (luminance: number, alpha: number) => boolean>> = {
  transparent: (_, alpha) => alpha < HALF,
  white: (luminance, alpha) => alpha >= HALF && luminance >= HALF,
  black: (luminance, alpha) => alpha >= HALF && luminance < HALF,
};

async function readBlob(store: BlobStore, blob: string, where: string): Promise<Uint8Array> {
  const bytes = await store.get(blob);
  if (bytes !== undefined) return bytes;
  throw new InputError("is not in the store any more", { where, remedy: "upload it again" });
}

interface RgbaPixels {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

async function decodeWithAlpha(bytes: Uint8Array, where: string): Promise<RgbaPixels> {
  const refuse = (reason: string, cause?: unknown): DataFormatError =>
    new DataFormatError(reason, { where, remedy: "use a PNG or WebP picture", cause });
  if (pictureFormat(bytes) === undefined) throw refuse("is no picture");
  try {
    const input = sharp(bytes, { failOn: "error", limitInputPixels: false, ignoreIcc: true });
    const { width: wide, height: high } = await input.metadata();
    if (wide * high > MAX_PIXELS) throw refuse(`${wide}x${high} is more than ${MAX_PIXELS} pixels`);
    const { data, info } = await input
      .autoOrient()
      .toColourspace("srgb")
      .ensureAlpha()
      .raw({ depth: "uchar" })
      .toBuffer({ resolveWithObject: true });
    return { data, width: info.width, height: info.height };
  } catch (error) {
    if (error instanceof DataFormatError) throw error;
    throw refuse("cannot be decoded: damaged, or incomplete", error);
  }
}
