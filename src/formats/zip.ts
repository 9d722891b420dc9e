/**
 * @file Directory of a zip archive whose members are stored, not compressed, as torch writes them. zip64 included.
 * Checksums are not compared: torch can be told to write archives without them.
 */

import { ModelFormatError, UnsupportedError } from "../errors.ts";
import type { ByteSource } from "./byte-source.ts";
import { quoted } from "./quoted.ts";

/** A stored member: bytes `begin` to `end` of the archive. */
export interface ZipEntry {
  readonly name: string;
  readonly begin: number;
  readonly end: number;
}

const END_SIGNATURE = 0x06054b50;
const END64_SIGNATURE = 0x06064b50;
const LOCATOR64_SIGNATURE = 0x07064b50;
const DIRECTORY_SIGNATURE = 0x02014b50;
const LOCAL_SIGNATURE = 0x04034b50;

const END_BYTES = 22;
const MAX_COMMENT_BYTES = 0xffff;
/** Every member costs a read and an object; models have a few thousand tensors. */
const MAX_ENTRIES = 1 << 17;
const MAX_DIRECTORY_BYTES = 64 * 1024 * 1024;

const ENCRYPTED_FLAG = 1;

/**
 * Members by name, in the order of the directory. Throws ModelFormatError for anything inconsistent,
 * UnsupportedError for compressed or encrypted members.
 */
export async function readZipDirectory(source: ByteSource): Promise<ReadonlyMap<string, ZipEntry>> {
  const fail = (reason: string): never => {
    throw new ModelFormatError(reason, {
      where: source.name,
      remedy: "the file is truncated or damaged: fetch it again",
    });
  };
  const { count, offset, size } = await locateDirectory(source, fail);
  if (count > MAX_ENTRIES || size > MAX_DIRECTORY_BYTES)
    fail(`the directory, ${count} members, is too large`);
  if (offset + size > source.byteLength) fail("the zip directory lies past the end");
  const bytes = await source.read(offset, size);
  const view = new DataView(bytes.buffer);
  const decoder = new TextDecoder();
  const entries = new Map<string, ZipEntry>();
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 46 > size || view.getUint32(at, true) !== DIRECTORY_SIGNATURE)
      fail("the zip directory is damaged");
    const nameEnd = at + 46 + view.getUint16(at + 28, true);
    const extraEnd = nameEnd + view.getUint16(at + 30, true);
    const next = extraEnd + view.getUint16(at + 32, true);
    if (next > size) fail("the zip directory is damaged");
    const name = decoder.decode(bytes.subarray(at + 46, nameEnd));
    if ((view.getUint16(at + 8, true) & ENCRYPTED_FLAG) !== 0 || view.getUint16(at + 10, true) !== 0) {
      throw new UnsupportedError(`member ${quoted(name)} is compressed or encrypted`, {
        where: source.name,
        remedy: "torch.save writes members uncompressed: save the file again",
      });
    }
    const member = widen(
      {
        size: view.getUint32(at + 24, true),
        storedSize: view.getUint32(at + 20, true),
        header: view.getUint32(at + 42, true),
      },
      view,
      nameEnd,
      extraEnd,
    );
    if (member === undefined || member.size !== member.storedSize)
      return fail("the zip directory is damaged");
    if (entries.has(name)) fail(`member ${quoted(name)} occurs twice`);
    const begin = await dataBegin(source, member.header, nameEnd - at - 46, fail);
    if (begin + member.size > offset) fail(`member ${quoted(name)} lies past the end`);
    entries.set(name, { name, begin, end: begin + member.size });
    at = next;
  }
  return entries;
}

type Fail = (reason: string) => never;

interface Directory {
  readonly count: number;
  readonly offset: number;
  readonly size: number;
}

async function locateDirectory(source: ByteSource, fail: Fail): Promise<Directory> {
  const tailBytes = Math.min(source.byteLength, END_BYTES + MAX_COMMENT_BYTES);
  const tailStart = source.byteLength - tailBytes;
  const tail = new DataView((await source.read(tailStart, tailBytes)).buffer);
  let at = tailBytes - END_BYTES;
  // The comment must reach exactly to the end; a signature inside a comment does not.
  while (
    at >= 0 &&
    !(
      tail.getUint32(at, true) === END_SIGNATURE &&
      at + END_BYTES + tail.getUint16(at + 20, true) === tailBytes
    )
  ) {
    at--;
  }
  if (at < 0) {
    throw new ModelFormatError("is not a zip archive, or its end is missing", {
      where: source.name,
      remedy: "torch archives older than version 1.6 must be saved again with a newer torch.save",
    });
  }
  const plain = {
    count: tail.getUint16(at + 10, true),
    size: tail.getUint32(at + 12, true),
    offset: tail.getUint32(at + 16, true),
  };
  if (plain.count !== 0xffff && plain.size !== 0xffffffff && plain.offset !== 0xffffffff) return plain;
  const locatorAt = tailStart + at - 20;
  if (locatorAt < 0) return plain;
  const locator = new DataView((await source.read(locatorAt, 20)).buffer);
  if (locator.getUint32(0, true) !== LOCATOR64_SIGNATURE) return plain;
  const endAt = Number(locator.getBigUint64(8, true));
  if (endAt + 56 > locatorAt) fail("the zip64 end record lies past the end");
  const end = new DataView((await source.read(endAt, 56)).buffer);
  if (end.getUint32(0, true) !== END64_SIGNATURE) fail("the zip64 end record is missing");
  return {
    count: Number(end.getBigUint64(32, true)),
    size: Number(end.getBigUint64(40, true)),
    offset: Number(end.getBigUint64(48, true)),
  };
}

interface Member {
  readonly size: number;
  readonly storedSize: number;
  readonly header: number;
}

/** Takes the fields that did not fit 32 bits from the zip64 extra field; undefined if they are not there. */
function widen(member: Member, view: DataView, from: number, end: number): Member | undefined {
  const wide = { ...member };
  const missing = (["size", "storedSize", "header"] as const).filter((field) => member[field] === 0xffffffff);
  if (missing.length === 0) return member;
  for (let at = from; at + 4 <= end; ) {
    const bytes = view.getUint16(at + 2, true);
    if (view.getUint16(at, true) === 1) {
      if (bytes < 8 * missing.length || at + 4 + bytes > end) return undefined;
      for (const [i, field] of missing.entries()) {
        wide[field] = Number(view.getBigUint64(at + 4 + 8 * i, true));
      }
      return wide;
    }
    at += 4 + bytes;
  }
  return undefined;
}

/** Only the local header knows how long itself is. */
async function dataBegin(source: ByteSource, at: number, nameBytes: number, fail: Fail): Promise<number> {
  if (at + 30 > source.byteLength) fail("a member lies past the end");
  const header = new DataView((await source.read(at, 30)).buffer);
  if (header.getUint32(0, true) !== LOCAL_SIGNATURE || header.getUint16(26, true) !== nameBytes) {
    fail("a member's own header is not where the directory says");
  }
  return at + 30 + nameBytes + header.getUint16(28, true);
}
