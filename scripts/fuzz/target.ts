/** @file What a fuzz target is, and what targets are built from. */

import { readFile } from "node:fs/promises";
import { crc32 } from "node:zlib";

export interface FuzzTarget {
  readonly name: string;
  readonly seeds: readonly Uint8Array[];
  readonly words: readonly Uint8Array[];
  /** Reads the whole input as a user would. May throw errors of this package, and no others. */
  run(bytes: Uint8Array): Promise<void>;
  /** Makes checksums right again, so that mutations reach what lies behind them. */
  repair?(bytes: Uint8Array): Uint8Array;
}

/** A claim that a reader broke about itself, beyond throwing the wrong thing. */
export class FuzzViolation extends Error {
  override readonly name = "FuzzViolation";
}

const root = new URL("../../", import.meta.url);

/** A file of this repository. */
export const fixture = (path: string): Promise<Uint8Array> => readFile(new URL(path, root));

/** Pieces of a format's language, one byte a character. */
export const words = (...list: string[]): Uint8Array[] => list.map((word) => Buffer.from(word, "latin1"));

/** What JSON is made of, beside what its reader looks for. */
export const jsonWords = (...list: string[]): Uint8Array[] =>
  words(
    "{",
    "}",
    "[",
    "]",
    "[[[[[[[[",
    '"',
    "\\",
    "\\u001b",
    ",",
    ":",
    "null",
    "true",
    "1e999",
    "\xff",
    ...list,
  );

/** Fresh checksums for the chunks that can still be walked. */
export function repairPng(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 8; at + 12 <= bytes.length; ) {
    const end = at + 8 + view.getUint32(at);
    if (end + 4 > bytes.length) break;
    view.setUint32(end, crc32(bytes.subarray(at + 4, end)));
    at = end + 4;
  }
  return bytes;
}
