/**
 * @file Pull reader for JSON of a known form. Unlike JSON.parse it builds only what is asked for, so a hostile text
 * cannot grow into objects many times its size, and it refuses duplicate keys, of which JSON.parse keeps the last.
 */

import { ModelFormatError } from "../errors.ts";
import { quoted } from "./quoted.ts";

/** Values that are passed over unread may nest this deep; more would be recursion for its own sake. */
const MAX_SKIPPED_DEPTH = 64;

/** No number in use is longer, and a bound keeps the pattern from walking far. */
const MAX_NUMBER_CHARACTERS = 64;
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/;
const LITERAL = /^(?:true|false|null)/;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Reads one JSON text from front to back; every fault is a ModelFormatError that names `where`. */
export class JsonReader {
  readonly #text: string;
  readonly #where: string;
  #at = 0;

  constructor(text: string, where: string) {
    this.#text = text;
    this.#where = where;
  }

  /** Decodes UTF-8 strictly. */
  static fromUtf8(bytes: Uint8Array, where: string): JsonReader {
    try {
      return new JsonReader(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes), where);
    } catch (cause) {
      throw new ModelFormatError("is not UTF-8 text", { where, cause });
    }
  }

  fail(reason: string): never {
    throw new ModelFormatError(reason, { where: this.#where, remedy: "the file is damaged: fetch it again" });
  }

  /** An object; `onKey` must read exactly one value for each key it is given. At most `maxKeys` keys. */
  object(onKey: (key: string) => void, maxKeys = 65_536): void {
    this.#expect("{");
    if (this.#accept("}")) return;
    const seen = new Set<string>();
    do {
      const key = this.string();
      if (seen.has(key)) this.fail(`key ${quoted(key)} occurs twice`);
      if (seen.size >= maxKeys) this.fail(`an object has more than ${maxKeys} keys`);
      seen.add(key);
      this.#expect(":");
      onKey(key);
    } while (this.#accept(","));
    this.#expect("}");
  }

  /** An array; `onItem` must read exactly one value for each index it is given. */
  array(onItem: (index: number) => void): void {
    this.#expect("[");
    if (this.#accept("]")) return;
    let index = 0;
    do onItem(index++);
    while (this.#accept(","));
    this.#expect("]");
  }

  string(): string {
    this.#space();
    const start = this.#at;
    if (this.#text.charCodeAt(start) !== QUOTE) this.#unexpected("a string");
    // By hand: a pattern with alternatives would keep a way back for every character of a long string.
    let escaped = false;
    let at = start + 1;
    for (;;) {
      const code = this.#text.charCodeAt(at);
      if (code === QUOTE) break;
      if (!(code >= 0x20)) this.#unexpected("a closed string without control characters");
      if (code === BACKSLASH) {
        escaped = true;
        at++;
      }
      at++;
    }
    this.#at = at + 1;
    if (!escaped) return this.#text.slice(start + 1, at);
    try {
      return String(JSON.parse(this.#text.slice(start, at + 1)));
    } catch {
      this.fail(`at character ${start}: a string has a malformed escape`);
    }
  }

  /** A non-negative integer that a double holds exactly, written without fraction or exponent. */
  size(): number {
    const token = this.#match(NUMBER);
    const value = token !== undefined && /^\d+$/.test(token) ? Number(token) : Number.NaN;
    if (!Number.isSafeInteger(value)) this.#unexpected("a non-negative integer");
    return value;
  }

  /** Passes over one value of any kind. */
  skip(depth = 0): void {
    if (depth > MAX_SKIPPED_DEPTH) this.fail("values are nested too deeply");
    this.#space();
    const first = this.#text[this.#at];
    if (first === "{") this.object(() => this.skip(depth + 1));
    else if (first === "[") this.array(() => this.skip(depth + 1));
    else if (first === '"') this.string();
    else if (this.#match(NUMBER) === undefined && this.#match(LITERAL) === undefined) {
      this.#unexpected("a value");
    }
  }

  /** Nothing but white space may be left. */
  end(): void {
    this.#space();
    if (this.#at < this.#text.length) this.#unexpected("the end");
  }

  #space(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.#at++;
    }
  }

  #accept(token: string): boolean {
    this.#space();
    if (this.#text[this.#at] !== token) return false;
    this.#at++;
    return true;
  }

  #expect(token: string): void {
    if (!this.#accept(token)) this.#unexpected(`"${token}"`);
  }

  #match(pattern: RegExp): string | undefined {
    this.#space();
    const found = pattern.exec(this.#text.slice(this.#at, this.#at + MAX_NUMBER_CHARACTERS))?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #unexpected(wanted: string): never {
    const rest = this.#text.slice(this.#at, this.#at + 20);
    this.fail(
      `at character ${this.#at}: ${wanted} expected, found ${rest === "" ? "the end" : quoted(rest)}`,
    );
  }
}
