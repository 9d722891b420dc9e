/** @file Writes ustar archives whose bytes depend on names and contents alone: no times, owners or modes of this machine. */

import { InputError } from "../errors.ts";
import type { ByteSink } from "./byte-sink.ts";
import { BLOCK_BYTES } from "./tar.ts";

/** The size field has eleven octal digits. */
const MAX_MEMBER_BYTES = 8 ** 11 - 1;

/** Streams members to a sink. */
export class TarWriter {
  readonly #sink: ByteSink;

  constructor(sink: ByteSink) {
    this.#sink = sink;
  }

  /** Adds a regular file. Throws InputError if the name does not fit a ustar header. */
  async add(name: string, contents: Uint8Array | string): Promise<void> {
    const bytes = typeof contents === "string" ? new TextEncoder().encode(contents) : contents;
    await this.#sink.write(ustarHeader(name, bytes.byteLength));
    await this.#sink.write(bytes);
    const padding = (BLOCK_BYTES - (bytes.byteLength % BLOCK_BYTES)) % BLOCK_BYTES;
    if (padding > 0) await this.#sink.write(new Uint8Array(padding));
  }

  /** Writes the end mark. */
  async finish(): Promise<void> {
    await this.#sink.write(new Uint8Array(2 * BLOCK_BYTES));
  }
}

/** Splits a long path at a slash into ustar's prefix (155 bytes) and name (100 bytes). */
function splitPath(path: string): { prefix: Uint8Array; name: Uint8Array } {
  const encoder = new TextEncoder();
  const whole = encoder.encode(path);
  const usable = path !== "" && !path.includes("\0") && !path.endsWith("/");
  if (usable && whole.length <= 100) return { prefix: new Uint8Array(0), name: whole };
  for (let slash = path.indexOf("/"); usable && slash > 0; slash = path.indexOf("/", slash + 1)) {
    const prefix = encoder.encode(path.slice(0, slash));
    const name = encoder.encode(path.slice(slash + 1));
    if (prefix.length <= 155 && name.length <= 100) return { prefix, name };
  }
  throw new InputError("the name does not fit a tar header", {
    where: path.slice(0, 300),
    remedy: "use a name of at most 100 bytes",
  });
}

function ustarHeader(path: string, size: number): Uint8Array {
  if (size > MAX_MEMBER_BYTES) {
    throw new InputError(`${size} bytes are too many for a tar member`, { where: path });
  }
  const header = new Uint8Array(BLOCK_BYTES);
  const { prefix, name } = splitPath(path);
  const put = (at: number, text: string): void => {
    for (let i = 0; i < text.length; i++) header[at + i] = text.charCodeAt(i);
  };
  header.set(name, 0);
  put(100, "0000644\0");
  put(108, "0000000\0"); // owner
  put(116, "0000000\0"); // group
  put(124, `${size.toString(8).padStart(11, "0")}\0`);
  put(136, "00000000000\0"); // time of change
  put(148, "        ");
  put(156, "0");
  put(257, "ustar\x0000");
  header.set(prefix, 345);
  let sum = 0;
  for (const byte of header) sum += byte;
  put(148, `${sum.toString(8).padStart(6, "0")}\0 `);
  return header;
}
