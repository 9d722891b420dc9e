/** @file What the server answers and keeps of a picture: its file with the recipe in it, and a small one for lists. */
import sharp, { type Sharp } from "sharp";
import { encodeExif } from "../../formats/exif.ts";
import { MAX_JPEG_EXIF_BYTES, replaceExif } from "../../formats/exif-place.ts";
import { type PictureTexts, pngWithTexts } from "../../generate/picture.ts";
import type { RgbImage } from "../../image/pixels.ts";
import type { DrawRequest, PixelSize } from "../contract/draw-request.ts";

/** Longest side of a thumbnail. */
const THUMBNAIL_SIDE = 256;
const THUMBNAIL_QUALITY = 80;
/** Characters of the comment: JPEG holds EXIF in one segment of 64 KiB, and each may take two bytes. */
const MAX_COMMENT_CHARACTERS = 30_000;

/** The codec writes texts as ASCII alone: what it writes is replaced. */
const PLACEHOLDER = { IFD0: { ImageDescription: "-" } };

function input({ width, height, data }: RgbImage): Sharp {
  return sharp(data, { raw: { width, height, channels: 3 }, limitInputPixels: false });
}

/** Stretched with Lanczos; the same image where it has that size. */
export async function stretched(image: RgbImage, { width, height }: PixelSize): Promise<RgbImage> {
  if (image.width === width && image.height === height) return image;
  const pixels = await input(image)
    .resize(width, height, { fit: "fill", kernel: "lanczos3" })
    .raw()
    .toBuffer();
  return { width, height, data: new Uint8Array(pixels) };
}

/**
 * A file in the format asked for. PNG holds all texts as the library's own files do; JPEG and WebP hold the parameters as
 * EXIF `UserComment`, in Unicode where they need it, where galleries look for them, the recipe as `ImageDescription`, and XMP.
 */
export async function pictureFile(
  image: RgbImage,
  { format, quality }: DrawRequest["output"],
  texts: PictureTexts,
): Promise<Uint8Array> {
  if (format === "png") return pngWithTexts(await plainPng(image), texts);
  const codec =
    format === "jpeg" ? input(image).jpeg({ quality: Math.max(1, quality) }) : webp(image, quality);
  const file = await codec.withExif(PLACEHOLDER).withXmp(texts.xmp).toBuffer();
  return replaceExif(file, exifOf(texts));
}

function webp(image: RgbImage, quality: number): Sharp {
  return input(image).webp({ quality: Math.max(1, quality) });
}

/** Without texts. */
export function plainPng(image: RgbImage): Promise<Uint8Array> {
  return input(image).png().toBuffer();
}

export function thumbnailOf(image: RgbImage): Promise<Uint8Array> {
  return input(image)
    .resize(THUMBNAIL_SIDE, THUMBNAIL_SIDE, { fit: "inside", withoutEnlargement: true, kernel: "lanczos3" })
    .webp({ quality: THUMBNAIL_QUALITY })
    .toBuffer();
}

/** JSON says other characters by their numbers; the recipe is left out where there is no room for it. */
function exifOf({ parameters, recipe }: PictureTexts): Uint8Array {
  const comment = parameters.slice(0, MAX_COMMENT_CHARACTERS);
  const description = recipe.replace(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  const whole = encodeExif({ description, comment });
  return whole.length <= MAX_JPEG_EXIF_BYTES ? whole : encodeExif({ comment });
}
