/** @file What a stored picture says of itself before it is decoded. */
import sharp from "sharp";
import { DataFormatError } from "../../errors.ts";

export interface PictureFacts {
  readonly width: number;
  readonly height: number;
  readonly byteLength: number;
}

/**
 * Width and height as seen: an EXIF tag may say that the stored picture lies on its side.
 * @throws DataFormatError for bytes that are no picture.
 */
export async function readHeader(bytes: Uint8Array): Promise<PictureFacts> {
  try {
    const { autoOrient } = await sharp(bytes, { limitInputPixels: false }).metadata();
    return { ...autoOrient, byteLength: bytes.byteLength };
  } catch (cause) {
    throw new DataFormatError("a picture cannot be read", { cause });
  }
}
