/** @file What the server answers and keeps of a picture: its file with the recipe in it, and a small one for lists. */
import sharp, { type Sharp } from "sharp";
import { type PictureTexts, pngWithTexts } from "../../generate/picture.ts";
import type { RgbImage } from "../../image/pixels.ts";
import type { DrawRequest, PixelSize } from "../contract/draw-request.ts";

/** Longest side of a thumbnail. */
const THUMBNAIL_SIDE = 256;
const THUMBNAIL_QUALITY = 80;
/** JPEG holds EXIF in one segment of 64 KiB; room is left for what the codec adds. */
const MAX_EXIF_CHARACTERS = 60_000;

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
 * EXIF `UserComment`, where galleries look for them, the recipe as `ImageDescription`, and XMP.
 */
export async function pictureFile(
  image: RgbImage,
  { format, quality }: DrawRequest["output"],
  texts: PictureTexts,
): Promise<Uint8Array> {
  if (format === "png") return pngWithTexts(await plainPng(image), texts);
  const codec =
    format === "jpeg" ? input(image).jpeg({ quality: Math.max(1, quality) }) : webp(image, quality);
  return codec.withExif(exifOf(texts)).withXmp(texts.xmp).toBuffer();
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

/** EXIF's texts are ASCII: JSON says other characters by their numbers, parameters lose them. */
function exifOf({ parameters, recipe }: PictureTexts): Record<string, Record<string, string>> {
  const comment = parameters.slice(0, MAX_EXIF_CHARACTERS).replace(/[^\t\n\x20-\x7e]/gu, "?");
  const json = recipe.replace(
    /[^\x20-\x7e]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
  const fits = comment.length + json.length <= MAX_EXIF_CHARACTERS;
  return { IFD0: fits ? { ImageDescription: json } : {}, IFD2: { UserComment: comment } };
}
