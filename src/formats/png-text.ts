/** @file Text chunks of PNG files: tEXt (Latin-1), iTXt (UTF-8) and, for reading, zTXt (deflated Latin-1). */

import { DataFormatError, InputError } from "../errors.ts";
import { type PngChunk, readPngChunks, writePngChunks } from "./png.ts";
import { quoted } from "./quoted.ts";
import type { Zlib } from "./zlib.ts";

export type PngTextKind = "tEXt" | "iTXt" | "zTXt";

/** Keyword under which pictures made here keep their recipe as JSON. */
export const RECIPE_KEYWORD = "nextstep";

export interface PngText {
  readonly keyword: string;
  readonly text: string;
  readonly kind: PngTextKind;
}

/** A text to store; without `kind` it becomes tEXt if Latin-1 can hold it, else iTXt. */
export interface PngTextToWrite {
  readonly keyword: string;
  readonly text: string;
  readonly kind?: "tEXt" | "iTXt";
}

/** Recipes take kilobytes; the workflows of node editors reach a few hundred. */
export const MAX_TEXT_BYTES = 4 * 1024 * 1024;
/** For all compressed texts of a file together: a kilobyte of deflate can stand for a megabyte. */
const MAX_INFLATED_BYTES = 4 * 1024 * 1024;
const MAX_TEXTS = 4096;
const LATIN1_PIECE = 4096;

const TEXT_KINDS: ReadonlySet<string> = new Set<PngTextKind>(["tEXt", "iTXt", "zTXt"]);

function isTextKind(type: string): type is PngTextKind {
  return TEXT_KINDS.has(type);
}

type Inflate = Zlib["inflate"];

/** All texts in the order of the file. Throws DataFormatError if the PNG or one of its texts is malformed. */
export async function readPngTexts(
  bytes: Uint8Array,
  { inflate }: Pick<Zlib, "inflate">,
  where = "PNG",
): Promise<PngText[]> {
  const texts: PngText[] = [];
  const budget: Budget = { bytes: MAX_INFLATED_BYTES, inflate };
  for (const { type, data } of readPngChunks(bytes, where)) {
    if (!isTextKind(type)) continue;
    if (texts.length === MAX_TEXTS) {
      throw new DataFormatError(`has more than ${MAX_TEXTS} text chunks`, { where });
    }
    texts.push(await decode(type, data, where, budget));
  }
  return texts;
}

/** The first text under `keyword`, or undefined. */
export function findPngText(texts: readonly PngText[], keyword: string): string | undefined {
  return texts.find((text) => text.keyword === keyword)?.text;
}

/**
 * The PNG with `texts` in it, in front of the pixels. Texts that it already has under one of the keywords are
 * replaced; everything else is kept byte for byte. Throws InputError for a keyword or text that PNG cannot hold.
 */
export function setPngTexts(
  bytes: Uint8Array,
  texts: readonly PngTextToWrite[],
  where = "PNG",
): Uint8Array<ArrayBuffer> {
  const added = texts.map(encode);
  const keywords = new Set(texts.map((text) => text.keyword));
  const chunks = withoutTexts(readPngChunks(bytes, where), keywords, where);
  const pixels = chunks.findIndex(({ type }) => type === "IDAT");
  chunks.splice(pixels < 0 ? 1 : pixels, 0, ...added);
  return writePngChunks(chunks);
}

/** The chunks without the texts under one of `keywords`. */
function withoutTexts(chunks: readonly PngChunk[], keywords: ReadonlySet<string>, where: string): PngChunk[] {
  return chunks.filter(
    ({ type, data }) => !isTextKind(type) || !keywords.has(splitKeyword(type, data, where).keyword),
  );
}

/** Each byte is a character. The decoder that the web calls "latin1" is another one, Windows-1252. */
function latin1(bytes: Uint8Array): string {
  let text = "";
  // In pieces: a call takes a limited number of arguments.
  for (let at = 0; at < bytes.length; at += LATIN1_PIECE) {
    text += String.fromCharCode(...bytes.subarray(at, at + LATIN1_PIECE));
  }
  return text;
}

function toLatin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function malformed(type: string, reason: string, where: string): DataFormatError {
  return new DataFormatError(`a ${type} chunk ${reason}`, {
    where,
    remedy: "the picture's metadata is damaged: remove it or save the picture again",
  });
}

function splitKeyword(type: string, data: Uint8Array, where: string): { keyword: string; rest: Uint8Array } {
  const end = data.subarray(0, 80).indexOf(0);
  if (end < 1) throw malformed(type, "has no keyword", where);
  return { keyword: latin1(data.subarray(0, end)), rest: data.subarray(end + 1) };
}

/** What may still be inflated, and by what. */
interface Budget {
  bytes: number;
  readonly inflate: Inflate;
}

async function decode(type: PngTextKind, data: Uint8Array, where: string, budget: Budget): Promise<PngText> {
  if (data.length > MAX_TEXT_BYTES) throw malformed(type, `of ${data.length} bytes is too large`, where);
  const { keyword, rest } = splitKeyword(type, data, where);
  switch (type) {
    case "tEXt":
      return { keyword, text: latin1(rest), kind: type };
    case "zTXt":
      if (rest[0] !== 0) throw malformed(type, "has an unknown compression", where);
      return { keyword, text: latin1(await inflate(type, rest.subarray(1), where, budget)), kind: type };
    case "iTXt":
      return { keyword, text: await international(rest, where, budget), kind: type };
  }
}

/** After the keyword: compressed flag, method, language tag, translated keyword, text. */
async function international(rest: Uint8Array, where: string, budget: Budget): Promise<string> {
  const languageEnd = rest.indexOf(0, 2);
  const keywordEnd = languageEnd < 0 ? -1 : rest.indexOf(0, languageEnd + 1);
  const [compressed, method] = rest;
  if (keywordEnd < 0 || compressed === undefined || compressed > 1 || (compressed === 1 && method !== 0)) {
    throw malformed("iTXt", "is malformed", where);
  }
  const body = rest.subarray(keywordEnd + 1);
  const text = compressed === 1 ? await inflate("iTXt", body, where, budget) : body;
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(text);
  } catch {
    throw malformed("iTXt", "is not UTF-8", where);
  }
}

async function inflate(type: string, body: Uint8Array, where: string, budget: Budget): Promise<Uint8Array> {
  try {
    const text = await budget.inflate(body, budget.bytes);
    budget.bytes -= text.length;
    return text;
  } catch (cause) {
    throw new DataFormatError(`a ${type} chunk cannot be decompressed, or is too large`, { where, cause });
  }
}

/** The rules of the PNG standard: 1 to 79 printable Latin-1 characters, no spaces outside or double. */
function checkKeyword(keyword: string): void {
  if (!/^[\x20-\x7e\xa1-\xff]{1,79}$/.test(keyword) || /^ | $| {2}/.test(keyword)) {
    throw new InputError(`${quoted(keyword)} is not a PNG keyword`, {
      where: "PNG text",
      remedy: "use 1 to 79 printable Latin-1 characters",
    });
  }
}

function isLatin1(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0xff) return false;
  return true;
}

function encode({ keyword, text, kind }: PngTextToWrite): PngChunk {
  checkKeyword(keyword);
  const type = kind ?? (isLatin1(text) ? "tEXt" : "iTXt");
  if (text.includes("\0") || (type === "tEXt" && !isLatin1(text))) {
    throw new InputError(`text ${quoted(keyword)} has characters that ${type} cannot hold`, {
      where: "PNG text",
    });
  }
  const head = toLatin1(keyword);
  // iTXt: keyword end, not compressed, method 0, no language, no translated keyword.
  const gap = type === "tEXt" ? 1 : 5;
  const body = type === "tEXt" ? toLatin1(text) : new TextEncoder().encode(text);
  const data = new Uint8Array(head.length + gap + body.length);
  if (data.length > MAX_TEXT_BYTES) {
    throw new InputError(`text ${quoted(keyword)} of ${body.length} bytes is too long`, {
      where: "PNG text",
    });
  }
  data.set(head);
  data.set(body, head.length + gap);
  return { type, data };
}
