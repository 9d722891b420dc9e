/** @file Index of a tar archive (docs/nextstep-spec.md 5): where each regular file's bytes lie. ustar, GNU and pax names. */

import { DataFormatError, UnsupportedError } from "../errors.ts";
import type { ByteSource } from "./byte-source.ts";

/** A regular file in the archive: `size` bytes at `offset` of the source. */
export interface TarEntry {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
}

export const BLOCK_BYTES = 512;

/** Extension headers hold names and times; anything larger is an attack on memory. */
const MAX_EXTENSION_BYTES = 64 * 1024;

const utf8 = new TextDecoder("utf-8");

/**
 * Reads the headers, never the data. Folders, links and devices are passed over: only regular files hold samples.
 * Throws DataFormatError for damaged or truncated archives, UnsupportedError for sparse files.
 */
export async function readTarIndex(source: ByteSource): Promise<TarEntry[]> {
  const entries: TarEntry[] = [];
  let position = 0;
  let extension: Extension = {};
  while (position < source.byteLength) {
    const where = `${source.name} at byte ${position}`;
    if (source.byteLength - position < BLOCK_BYTES) throw truncated(where, "a header");
    const header = await source.read(position, BLOCK_BYTES);
    if (header.every((byte) => byte === 0)) return entries;
    verifyChecksum(header, where);
    const type = String.fromCharCode(header[156]!);
    const isExtension = "LKxg".includes(type);
    const size = (isExtension ? undefined : extension.size) ?? parseNumber(header, 124, 12, where);
    const dataOffset = position + BLOCK_BYTES;
    if (size > source.byteLength - dataOffset) throw truncated(where, `${size} bytes of data`);
    if (isExtension) {
      extension = await readExtension(source, type, dataOffset, size, extension, where);
    } else {
      if (type === "S") {
        throw new UnsupportedError("sparse tar members are not read", {
          where,
          remedy: "write the archive without --sparse",
        });
      }
      if (type === "0" || type === "\0" || type === "7") {
        const name = extension.path ?? headerName(header);
        if (name === "") throw new DataFormatError("a member has no name", { where });
        // Archives older than ustar mark folders by the slash alone.
        if (!name.endsWith("/")) entries.push({ name, offset: dataOffset, size });
      }
      extension = {};
    }
    position = dataOffset + Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES;
  }
  return entries;
}

/** What a preceding pax or GNU header says about the next member. */
interface Extension {
  readonly path?: string;
  readonly size?: number;
}

async function readExtension(
  source: ByteSource,
  type: string,
  offset: number,
  size: number,
  previous: Extension,
  where: string,
): Promise<Extension> {
  // Long link names and defaults for the whole archive say nothing about a regular file's bytes.
  if (type === "K" || type === "g") return previous;
  if (size > MAX_EXTENSION_BYTES) {
    throw new DataFormatError(`an extension header of ${size} bytes is too large`, { where });
  }
  const bytes = await source.read(offset, size);
  if (type === "L") return { ...previous, path: zeroTerminated(bytes) };
  return { ...previous, ...parsePax(bytes, where) };
}

/** Records of the form `LENGTH KEY=VALUE\n`, LENGTH counting the whole record. */
function parsePax(bytes: Uint8Array, where: string): Extension {
  let found: Extension = {};
  let at = 0;
  while (at < bytes.length && bytes[at] !== 0) {
    let space = at;
    while (space < bytes.length && space - at < 8 && bytes[space] !== 0x20) space++;
    const digits = utf8.decode(bytes.subarray(at, space));
    const length = /^[1-9]\d*$/.test(digits) ? Number(digits) : 0;
    const end = at + length;
    if (bytes[space] !== 0x20 || end > bytes.length || end < space + 2 || bytes[end - 1] !== 0x0a) {
      throw new DataFormatError("a pax header record is malformed", { where });
    }
    const record = utf8.decode(bytes.subarray(space + 1, end - 1));
    const equals = record.indexOf("=");
    const key = equals < 0 ? "" : record.slice(0, equals);
    const value = record.slice(equals + 1);
    if (key.startsWith("GNU.sparse.")) {
      throw new UnsupportedError("sparse tar members are not read", {
        where,
        remedy: "write the archive without --sparse",
      });
    }
    if (key === "path") found = { ...found, path: value };
    if (key === "size") {
      const size = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
      if (!Number.isSafeInteger(size)) throw new DataFormatError("a pax size is not a number", { where });
      found = { ...found, size };
    }
    at = end;
  }
  return found;
}

function truncated(where: string, what: string): DataFormatError {
  return new DataFormatError(`the archive ends within ${what}`, {
    where,
    remedy: "the file is truncated: fetch or write it again",
  });
}

function zeroTerminated(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return utf8.decode(end < 0 ? bytes : bytes.subarray(0, end));
}

function headerName(header: Uint8Array): string {
  const name = zeroTerminated(header.subarray(0, 100));
  // Only "ustar\0" has a prefix field; GNU's "ustar " keeps times there.
  const isUstar = utf8.decode(header.subarray(257, 263)) === "ustar\0";
  const prefix = isUstar ? zeroTerminated(header.subarray(345, 500)) : "";
  return prefix === "" ? name : `${prefix}/${name}`;
}

/** Octal digits ended by NUL or space, or GNU's base 256 (first bit set) for sizes beyond 8 GiB. */
function parseNumber(header: Uint8Array, at: number, length: number, where: string): number {
  const field = header.subarray(at, at + length);
  if ((field[0]! & 0x80) !== 0) {
    let value = field[0]! & 0x7f;
    for (let i = 1; i < length; i++) value = value * 256 + field[i]!;
    if (!Number.isSafeInteger(value)) throw new DataFormatError("a size is out of range", { where });
    return value;
  }
  const text = String.fromCharCode(...field);
  const match = /^ *([0-7]*)[ \0]*$/.exec(text);
  if (match === null) throw new DataFormatError("a number field is not octal", { where });
  return match[1] === "" ? 0 : Number.parseInt(match[1]!, 8);
}

function verifyChecksum(header: Uint8Array, where: string): void {
  const stored = parseNumber(header, 148, 8, where);
  let unsigned = 0;
  let signed = 0;
  for (let i = 0; i < BLOCK_BYTES; i++) {
    // The checksum is taken with its own field as spaces.
    const byte = i >= 148 && i < 156 ? 0x20 : header[i]!;
    unsigned += byte;
    signed += byte < 128 ? byte : byte - 256;
  }
  // Some old writers summed signed bytes.
  if (stored !== unsigned && stored !== signed) {
    throw new DataFormatError("a member's header has a wrong checksum", {
      where,
      remedy: "the file is damaged or not a tar archive",
    });
  }
}
