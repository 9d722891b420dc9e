/** @file The chunk structure of a PNG file, checked; pixels are left to the picture codec. */

import { DataFormatError } from "../errors.ts";
import { crc32 } from "./crc32.ts";

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** A PNG of a picture in use has a handful; some writers cut the pixels into chunks of 8 kB. */
const MAX_CHUNKS = 1 << 18;

/** A chunk: its four-letter type and its data, a view into the file. */
export interface PngChunk {
  readonly type: string;
  readonly data: Uint8Array;
}

/** True if the bytes begin as a PNG does. */
export function isPng(bytes: Uint8Array): boolean {
  return SIGNATURE.every((byte, i) => bytes[i] === byte);
}

/**
 * Chunks from IHDR to IEND, every checksum verified. Bytes after IEND are no part of the picture and left out.
 * Throws DataFormatError, naming `where`, if the structure is damaged.
 */
export function readPngChunks(bytes: Uint8Array, where = "PNG"): PngChunk[] {
  const fail = (reason: string): never => {
    throw new DataFormatError(reason, { where, remedy: "the picture is damaged: save it again" });
  };
  if (!isPng(bytes)) throw new DataFormatError("is not a PNG file", { where });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const chunks: PngChunk[] = [];
  let at = SIGNATURE.length;
  for (;;) {
    if (bytes.length - at < 12) return fail("ends before its last chunk");
    const length = view.getUint32(at);
    if (length > bytes.length - at - 12) return fail("a chunk lies past the end");
    const end = at + 8 + length;
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (!/^[A-Za-z]{4}$/.test(type)) return fail("a chunk has no valid type");
    if (crc32(bytes.subarray(at + 4, end)) !== view.getUint32(end)) {
      return fail(`chunk ${type} has a wrong checksum`);
    }
    if ((chunks.length === 0) !== (type === "IHDR")) return fail("does not begin with its one IHDR chunk");
    if (chunks.length === MAX_CHUNKS) return fail(`has more than ${MAX_CHUNKS} chunks`);
    chunks.push({ type, data: bytes.subarray(at + 8, end) });
    if (type === "IEND") return chunks;
    at = end + 4;
  }
}

/** The file made of `chunks`, with fresh checksums. */
export function writePngChunks(chunks: readonly PngChunk[]): Uint8Array<ArrayBuffer> {
  const total = chunks.reduce((sum, { data }) => sum + 12 + data.length, SIGNATURE.length);
  const bytes = new Uint8Array(total);
  const view = new DataView(bytes.buffer);
  bytes.set(SIGNATURE);
  let at = SIGNATURE.length;
  for (const { type, data } of chunks) {
    view.setUint32(at, data.length);
    for (let i = 0; i < 4; i++) bytes[at + 4 + i] = type.charCodeAt(i);
    bytes.set(data, at + 8);
    const end = at + 8 + data.length;
    view.setUint32(end, crc32(bytes.subarray(at + 4, end)));
    at = end + 4;
  }
  return bytes;
}
