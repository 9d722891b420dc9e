/** @file The files of a benchmark: pictures in the format that their names say, and whether one that is there is whole. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { DataFormatError } from "../../errors.ts";
import { decodeImage } from "../../files/decode-image.ts";
import { replaceFile } from "../../files/replacement-file.ts";
import { hasCode } from "../../files/write-failure.ts";
import type { RgbImage } from "../../image/pixels.ts";
import type { PictureFile } from "./benchmark.ts";

/** The scorers read a JPEG where the layout wants one; this one is as near to the picture as JPEG gets without waste. */
const JPEG_QUALITY = 95;

/** Whether a picture's file is there and can be decoded to its end. */
export async function isWhole(out: string, { path }: Pick<PictureFile, "path">): Promise<boolean> {
  const place = join(out, path);
  try {
    await decodeImage(await readFile(place), place);
    return true;
  } catch (error) {
    if (error instanceof DataFormatError || hasCode(error, "ENOENT")) return false;
    throw error;
  }
}

/** Writes a file of pictures, whole or not at all. */
export async function writePictureFile(
  out: string,
  { path, columns }: Pick<PictureFile, "path" | "columns">,
  pictures: readonly RgbImage[],
): Promise<void> {
  const bytes = await encoded(withoutGaps(pictures, columns), path);
  await replaceFile(join(out, path), (file) => file.write(bytes));
}

/** Pictures of one size side by side and below each other, without anything between: scorers cut them apart by number. */
export function withoutGaps(pictures: readonly RgbImage[], columns: number): RgbImage {
  const [first] = pictures;
  if (first === undefined) throw new DataFormatError("there are no pictures");
  if (pictures.length === 1) return first;
  const width = first.width * columns;
  const rows = Math.ceil(pictures.length / columns);
  const data = new Uint8Array(3 * width * first.height * rows);
  pictures.forEach((picture, index) => {
    const left = (index % columns) * first.width;
    const top = Math.floor(index / columns) * first.height;
    for (let y = 0; y < first.height; y++) {
      const line = picture.data.subarray(3 * y * first.width, 3 * (y + 1) * first.width);
      data.set(line, 3 * ((top + y) * width + left));
    }
  });
  return { width, height: first.height * rows, data };
}

async function encoded({ width, height, data }: RgbImage, path: string): Promise<Uint8Array> {
  const picture = sharp(data, { raw: { width, height, channels: 3 } });
  if (path.endsWith(".jpeg")) {
    return picture.jpeg({ quality: JPEG_QUALITY, chromaSubsampling: "4:4:4" }).toBuffer();
  }
  return path.endsWith(".webp") ? picture.webp({ lossless: true }).toBuffer() : picture.png().toBuffer();
}
