/** @file Index of a tar archive (docs/nextstep-spec.md 5): where each regular file's bytes lie. ustar, GNU and pax names. */

import { DataFormatError, UnsupportedError } from "../errors.ts";
import type { ByteSource } from "./byte-source.ts";
import { COMPRESSION_BYTES, compressionOf } from "./compression.ts";
import { quoted } from "./quoted.ts";

/** A regular file in the archive: `size` bytes at `offset` of the source. */
export interface TarEntry {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
}

export const BLOCK_BYTES = 512;

/** Extension headers hold names and times; anything larger is an attack on memory. */
const MAX_EXTENSION_BYTES = 64 * 1024;
/** Longest path that systems take. */
const MAX_NAME_CHARACTERS = 4096;
/** Members of an archive. Their index is held in memory; data sets keep thousands in a tar. */
const MAX_MEMBERS = 1 << 22;

/** Members that stand for something outside their own bytes. What they stand for is not in the archive. */
const REFUSED_TYPES: ReadonlyMap<string, string> = new Map([
  ["1", "a hard link"],
  ["2", "a symbolic link"],
  ["3", "a device"],
  ["4", "a device"],
  ["6", "a pipe"],
  ["M", "a part of a file from another volume"],
]);

/** From the root, from a drive, or with a step upwards. */
const LEAVES_FOLDER = /^[\\/]|^[A-Za-z]:[\\/]|(?:^|[\\/])\.\.(?:[\\/]|$)/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const CONTROL_CHARACTERS = /[\x00-\x1f\x7f-\x9f]/;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Reads the headers, never the data. Folders are passed over: only regular files hold samples.
 * Throws DataFormatError for damaged, truncated or compressed archives, for links and devices, and for names that
 * leave the folder, are not UTF-8 or hold control characters; UnsupportedError for sparse files.
 */
export async function readTarIndex(source: ByteSource): Promise<TarEntry[]> {
  await refuseCompressed(source);
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
      const isFile = type === "0" || type === "\0" || type === "7";
      const refused = REFUSED_TYPES.get(type);
      if (isFile || refused !== undefined) {
        const name = extension.path ?? headerName(header, where);
        checkName(name, where);
        if (refused !== undefined) {
          throw new DataFormatError(`member ${quoted(name)} is ${refused}`, {
            where,
            remedy: "write the archive again from regular files: tar --dereference --hard-dereference",
          });
        }
        if (entries.length === MAX_MEMBERS) {
          throw new DataFormatError(`holds more than ${MAX_MEMBERS} members`, { where, remedy: "split it" });
        }
        // Archives older than ustar mark folders by the slash alone.
        if (!name.endsWith("/")) entries.push({ name, offset: dataOffset, size });
      }
      extension = {};
    }
    position = dataOffset + Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES;
  }
  return entries;
}

/** Data are read in place, so a compressed archive has to be unpacked first. */
async function refuseCompressed(source: ByteSource): Promise<void> {
  const compression = compressionOf(await source.read(0, Math.min(COMPRESSION_BYTES, source.byteLength)));
  if (compression === undefined) return;
  throw new DataFormatError(`is compressed (${compression.name}), and tars are read in place`, {
    where: source.name,
    remedy: `unpack it to a .tar first: ${compression.command}`,
  });
}

function checkName(name: string, where: string): void {
  if (name === "") throw new DataFormatError("a member has no name", { where });
  if (name.length > MAX_NAME_CHARACTERS) {
    throw new DataFormatError(`a member's name has ${name.length} characters`, {
      where,
      remedy: `at most ${MAX_NAME_CHARACTERS} are read`,
    });
  }
  if (LEAVES_FOLDER.test(name)) {
    throw new DataFormatError(`member ${quoted(name)} would leave its folder`, {
      where,
      remedy: 'write the archive again with relative names without ".."',
    });
  }
  if (CONTROL_CHARACTERS.test(name)) {
    throw new DataFormatError(`member ${quoted(name)} has control characters in its name`, {
      where,
      remedy: "rename the file and write the archive again",
    });
  }
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
  if (type === "L") return { ...previous, path: zeroTerminated(bytes, where) };
  return { ...previous, ...parsePax(bytes, where) };
}

/** Records of the form `LENGTH KEY=VALUE\n`, LENGTH counting the whole record. */
function parsePax(bytes: Uint8Array, where: string): Extension {
  let found: Extension = {};
  let at = 0;
  while (at < bytes.length && bytes[at] !== 0) {
    let space = at;
    while (space < bytes.length && space - at < 8 && bytes[space] !== 0x20) space++;
    const digits = latin1(bytes.subarray(at, space));
    const length = /^[1-9]\d*$/.test(digits) ? Number(digits) : 0;
    const end = at + length;
    if (bytes[space] !== 0x20 || end > bytes.length || end < space + 2 || bytes[end - 1] !== 0x0a) {
      throw new DataFormatError("a pax header record is malformed", { where });
    }
    const record = bytes.subarray(space + 1, end - 1);
    const equals = record.indexOf(0x3d);
    const key = equals < 0 ? "" : latin1(record.subarray(0, equals));
    const value = record.subarray(equals + 1);
    if (key.startsWith("GNU.sparse.")) {
      throw new UnsupportedError("sparse tar members are not read", {
        where,
        remedy: "write the archive without --sparse",
      });
    }
    if (key === "path") found = { ...found, path: decodeName(value, where) };
    if (key === "size") {
      const size = /^\d{1,16}$/.test(latin1(value)) ? Number(latin1(value)) : Number.NaN;
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

function latin1(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}

/** Other encodings are refused: names that cannot be told apart would join the files of several samples. */
function decodeName(bytes: Uint8Array, where: string): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new DataFormatError("a member's name is not UTF-8", {
      where,
      remedy: "rename the file and write the archive again",
      cause,
    });
  }
}

function zeroTerminated(bytes: Uint8Array, where: string): string {
  const end = bytes.indexOf(0);
  return decodeName(end < 0 ? bytes : bytes.subarray(0, end), where);
}

function headerName(header: Uint8Array, where: string): string {
  const name = zeroTerminated(header.subarray(0, 100), where);
  // Only "ustar\0" has a prefix field; GNU's "ustar " keeps times there.
  const isUstar = latin1(header.subarray(257, 263)) === "ustar\0";
  const prefix = isUstar ? zeroTerminated(header.subarray(345, 500), where) : "";
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
  const match = /^ *([0-7]*)[ \0]*$/.exec(latin1(field));
  if (match === null) throw damaged("a number field is not octal", where);
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
    throw damaged("a member's header has a wrong checksum", where);
  }
}

function damaged(reason: string, where: string): DataFormatError {
  return new DataFormatError(reason, { where, remedy: "the file is damaged or not a tar archive" });
}
