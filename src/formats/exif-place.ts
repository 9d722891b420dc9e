/** @file Where EXIF stands in JPEG and WebP files: another block in the place of the one that is there. */
import { DataFormatError } from "../errors.ts";

const PREFIX = Uint8Array.of(0x45, 0x78, 0x69, 0x66, 0, 0);
/** A JPEG segment tells its length, itself included, in 16 bits. */
export const MAX_JPEG_EXIF_BYTES = 0xffff - 2 - PREFIX.length;

/**
 * The file with `exif` (a TIFF block) in place of its own.
 * @throws DataFormatError for a file of another kind, one without EXIF, and a block that is too long for JPEG.
 */
export function replaceExif(file: Uint8Array, exif: Uint8Array): Uint8Array<ArrayBuffer> {
  const found = isJpeg(file) ? jpegPlace(file) : webpPlace(file);
  if (found === undefined)
    throw new DataFormatError("holds no EXIF that could be replaced", { where: "picture" });
  const [from, to] = found;
  const part = isJpeg(file) ? jpegSegment(exif) : webpChunk(exif);
  const all = new Uint8Array(file.length - (to - from) + part.length);
  all.set(file.subarray(0, from));
  all.set(part, from);
  all.set(file.subarray(to), from + part.length);
  if (!isJpeg(file)) new DataView(all.buffer).setUint32(4, all.length - 8, true);
  return all;
}

function isJpeg(file: Uint8Array): boolean {
  return file[0] === 0xff && file[1] === 0xd8;
}

/** Of the segment, from its marker to behind it. */
function jpegPlace(file: Uint8Array): readonly [from: number, to: number] | undefined {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  // Segments stand one behind the other in front of the picture (marker 0xda).
  for (let at = 2; at + 4 <= file.length && file[at] === 0xff && file[at + 1] !== 0xda; ) {
    const end = at + 2 + view.getUint16(at + 2);
    const isExif = file[at + 1] === 0xe1 && PREFIX.every((byte, index) => file[at + 4 + index] === byte);
    if (isExif) return [at, end];
    at = end;
  }
  return undefined;
}

function jpegSegment(exif: Uint8Array): Uint8Array {
  if (exif.length > MAX_JPEG_EXIF_BYTES) {
    throw new DataFormatError(`EXIF of ${exif.length} bytes is more than a JPEG holds`, { where: "picture" });
  }
  const segment = new Uint8Array(4 + PREFIX.length + exif.length);
  const view = new DataView(segment.buffer);
  view.setUint16(0, 0xffe1);
  view.setUint16(2, segment.length - 2);
  segment.set(PREFIX, 4);
  segment.set(exif, 4 + PREFIX.length);
  return segment;
}

/** Of the chunk, with its padding. */
function webpPlace(file: Uint8Array): readonly [from: number, to: number] | undefined {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const isExif = (at: number): boolean => view.getUint32(at) === 0x45584946;
  for (let at = 12; at + 8 <= file.length; ) {
    const length = view.getUint32(at + 4, true);
    const end = at + 8 + length + (length % 2);
    if (isExif(at)) return [at, Math.min(end, file.length)];
    at = end;
  }
  return undefined;
}

function webpChunk(exif: Uint8Array): Uint8Array {
  const chunk = new Uint8Array(8 + exif.length + (exif.length % 2));
  const view = new DataView(chunk.buffer);
  view.setUint32(0, 0x45584946);
  view.setUint32(4, exif.length, true);
  chunk.set(exif, 8);
  return chunk;
}
