/**
 * @file EXIF as far as galleries read it: what a picture is of, and a comment. TIFF of Exif 2.32 (CIPA DC-008), section 4.6;
 * `UserComment` in Unicode as the AUTOMATIC1111 web UI writes and reads it.
 */

export interface ExifTexts {
  /** `ImageDescription`. Other characters than ASCII are lost: texts here are JSON that escapes them. */
  readonly description?: string;
  /** `UserComment`, in any characters. */
  readonly comment?: string;
}

const IMAGE_DESCRIPTION = 0x010e;
const EXIF_IFD = 0x8769;
const USER_COMMENT = 0x9286;
/** Types of values: texts that end with a zero, whole numbers, bytes. */
const [ASCII, LONG, UNDEFINED] = [2, 4, 7];
const HEADER_BYTES = 8;
const ENTRY_BYTES = 12;
const IN_PLACE_BYTES = 4;
/** In front of a comment. */
const [ASCII_CODE, UNICODE_CODE] = ["ASCII\0\0\0", "UNICODE\0"];
const PREFIX = "Exif\0\0";
/** More entries than any writer has. */
const MAX_ENTRIES = 1000;

interface Entry {
  readonly tag: number;
  readonly type: number;
  readonly data: Uint8Array;
}

/** A TIFF block, big-endian, without the `Exif` in front that JPEG has. */
export function encodeExif({ description, comment }: ExifTexts): Uint8Array<ArrayBuffer> {
  const first: Entry[] = [];
  if (description !== undefined) {
    first.push({ tag: IMAGE_DESCRIPTION, type: ASCII, data: latin(`${description}\0`) });
  }
  if (comment === undefined) return joined([header(), directory(first, HEADER_BYTES)]);
  const pointer = { tag: EXIF_IFD, type: LONG, data: new Uint8Array(4) };
  // Its length does not depend on where the second directory is.
  const second = HEADER_BYTES + directory([...first, pointer], HEADER_BYTES).length;
  new DataView(pointer.data.buffer).setUint32(0, second);
  const entry = { tag: USER_COMMENT, type: UNDEFINED, data: commentBytes(comment) };
  return joined([header(), directory([...first, pointer], HEADER_BYTES), directory([entry], second)]);
}

/** The texts of a block, with or without `Exif` in front; nothing of one that is none, or damaged. */
export function decodeExif(bytes: Uint8Array): ExifTexts {
  try {
    const block = textOf(bytes.subarray(0, PREFIX.length)) === PREFIX ? bytes.subarray(PREFIX.length) : bytes;
    return new ExifReader(block).texts();
  } catch (error) {
    // Beyond the end of the block.
    if (error instanceof RangeError) return {};
    throw error;
  }
}

function header(): Uint8Array {
  return Uint8Array.of(0x4d, 0x4d, 0, 42, 0, 0, 0, HEADER_BYTES);
}

/** A directory at an offset of the block, with the values that have no room in it behind it. */
function directory(entries: readonly Entry[], offset: number): Uint8Array {
  const table = new DataView(new ArrayBuffer(2 + ENTRY_BYTES * entries.length + 4));
  table.setUint16(0, entries.length);
  const behind: Uint8Array[] = [];
  let at = offset + table.byteLength;
  entries.forEach(({ tag, type, data }, index) => {
    const entry = 2 + ENTRY_BYTES * index;
    table.setUint16(entry, tag);
    table.setUint16(entry + 2, type);
    table.setUint32(entry + 4, type === LONG ? data.length / 4 : data.length);
    if (data.length <= IN_PLACE_BYTES) new Uint8Array(table.buffer).set(data, entry + 8);
    else {
      table.setUint32(entry + 8, at);
      // Values begin at even offsets.
      const even = new Uint8Array(data.length + (data.length % 2));
      even.set(data);
      behind.push(even);
      at += even.length;
    }
  });
  return joined([new Uint8Array(table.buffer), ...behind]);
}

function commentBytes(comment: string): Uint8Array {
  if (/^[\0-\x7f]*$/.test(comment)) return latin(`${ASCII_CODE}${comment}`);
  const units = new DataView(new ArrayBuffer(2 * comment.length));
  for (let at = 0; at < comment.length; at++) units.setUint16(2 * at, comment.charCodeAt(at));
  return joined([latin(UNICODE_CODE), new Uint8Array(units.buffer)]);
}

class ExifReader {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  readonly #isLittle: boolean;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#isLittle = textOf(bytes.subarray(0, 2)) === "II";
  }

  texts(): ExifTexts {
    const order = textOf(this.#bytes.subarray(0, 2));
    if ((order !== "II" && order !== "MM") || this.#short(2) !== 42) return {};
    const first = this.#directory(this.#long(4));
    const described = first.get(IMAGE_DESCRIPTION);
    const pointer = first.get(EXIF_IFD);
    const comment =
      pointer === undefined ? undefined : this.#directory(this.#longOf(pointer)).get(USER_COMMENT);
    const text = comment === undefined ? undefined : this.#comment(comment);
    return {
      ...(described === undefined ? {} : { description: textOf(described).replace(/\0.*$/s, "") }),
      ...(text === undefined ? {} : { comment: text }),
    };
  }

  /** Values by tag, of the types that are read here. */
  #directory(offset: number): ReadonlyMap<number, Uint8Array> {
    const count = Math.min(this.#short(offset), MAX_ENTRIES);
    const values = new Map<number, Uint8Array>();
    for (let index = 0; index < count; index++) {
      const entry = offset + 2 + ENTRY_BYTES * index;
      const type = this.#short(entry + 2);
      if (type !== ASCII && type !== LONG && type !== UNDEFINED) continue;
      const length = this.#long(entry + 4) * (type === LONG ? 4 : 1);
      const at = length <= IN_PLACE_BYTES ? entry + 8 : this.#long(entry + 8);
      if (at + length > this.#bytes.length) continue;
      values.set(this.#short(entry), this.#bytes.subarray(at, at + length));
    }
    return values;
  }

  #comment(value: Uint8Array): string | undefined {
    const code = textOf(value.subarray(0, UNICODE_CODE.length));
    const rest = value.subarray(UNICODE_CODE.length);
    if (code === ASCII_CODE) return textOf(rest).replace(/\0.*$/s, "");
    if (code !== UNICODE_CODE) return undefined;
    // Big-endian whatever the block is: so does the web UI.
    const view = new DataView(rest.buffer, rest.byteOffset, rest.byteLength);
    let text = "";
    for (let at = 0; at + 2 <= rest.length; at += 2) text += String.fromCharCode(view.getUint16(at));
    return text;
  }

  #short(at: number): number {
    return this.#view.getUint16(at, this.#isLittle);
  }

  #long(at: number): number {
    return this.#view.getUint32(at, this.#isLittle);
  }

  #longOf(value: Uint8Array): number {
    return new DataView(value.buffer, value.byteOffset, value.byteLength).getUint32(0, this.#isLittle);
  }
}

function latin(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function textOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
