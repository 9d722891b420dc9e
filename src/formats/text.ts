/** @file Text of other people's files: UTF-8, or UTF-16 that says so. Anything else is refused rather than guessed. */

import { DataFormatError } from "../errors.ts";

const REMEDY = "save it as UTF-8";

/** A byte order mark and what it stands for. UTF-32 begins as UTF-16 does and so comes first. */
const MARKS: readonly (readonly [mark: readonly number[], encoding: string | null])[] = [
  [[0xff, 0xfe, 0x00, 0x00], null],
  [[0x00, 0x00, 0xfe, 0xff], null],
  [[0xef, 0xbb, 0xbf], "utf-8"],
  [[0xff, 0xfe], "utf-16le"],
  [[0xfe, 0xff], "utf-16be"],
];

/**
 * Decodes text, without its byte order mark.
 * @param where names the text in errors.
 * @throws DataFormatError for bytes in another encoding, which no reader can tell apart for certain.
 */
export function decodeText(bytes: Uint8Array, where: string): string {
  const found = MARKS.find(([mark]) => mark.every((byte, index) => bytes[index] === byte));
  const encoding = found === undefined ? "utf-8" : found[1];
  if (encoding === null) throw new DataFormatError("is UTF-32 text", { where, remedy: REMEDY });
  let text: string;
  try {
    text = new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (cause) {
    const reason = found === undefined ? "is not UTF-8 text" : `is damaged ${encoding.toUpperCase()} text`;
    throw new DataFormatError(reason, { where, remedy: REMEDY, cause });
  }
  // Western text in UTF-16 or UTF-32 without a mark is valid UTF-8, with a NUL beside every letter.
  if (text.includes("\0")) throw new DataFormatError("holds NUL characters", { where, remedy: REMEDY });
  return text;
}
