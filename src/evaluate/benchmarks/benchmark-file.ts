/** @file The files of a benchmark: pictures in the format that their names say, and whether one that is there is whole. */
import { join } from "node:path";
import sharp from "sharp";
import { replaceFile } from "../../files/replacement-file.ts";
import { gridRows, pictureGrid } from "../../image/picture-grid.ts";
import type { RgbImage } from "../../image/pixels.ts";
import { readWholePicture } from "../run-folder.ts";
import type { PictureFile } from "./benchmark.ts";

/** The scorers read a JPEG where the layout wants one; this one is as near to the picture as JPEG gets without waste. */
const JPEG_QUALITY = 95;

/** Whether a picture's file is there and can be decoded to its end. */
export async function isWhole(out: string, { path }: Pick<PictureFile, "path">): Promise<boolean> {
  return (await readWholePicture(join(out, path))) !== undefined;
}

/** Writes a file of pictures, whole or not at all. */
export async function writePictureFile(
  out: string,
  { path, columns }: Pick<PictureFile, "path" | "columns">,
  pictures: readonly RgbImage[],
): Promise<void> {
  // Without anything between: scorers cut them apart by number.
  const bytes = await encoded(pictureGrid(gridRows(pictures, columns), 0), path);
  await replaceFile(join(out, path), (file) => file.write(bytes));
}

async function encoded({ width, height, data }: RgbImage, path: string): Promise<Uint8Array> {
  const picture = sharp(data, { raw: { width, height, channels: 3 } });
  if (path.endsWith(".jpeg")) {
    return picture.jpeg({ quality: JPEG_QUALITY, chromaSubsampling: "4:4:4" }).toBuffer();
  }
  return path.endsWith(".webp") ? picture.webp({ lossless: true }).toBuffer() : picture.png().toBuffer();
}
