/** @file Bytes that are read once, from front to back, and digested on the way: of a download there is no second time. */
import { createHash } from "node:crypto";
import { DataFormatError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";

export class DigestedSource implements ByteSource {
  readonly name: string;
  readonly byteLength: number;
  readonly #source: ByteSource;
  readonly #hash = createHash("sha256");
  #position = 0;

  /** Takes over `source`: it is closed with this one. */
  constructor(source: ByteSource) {
    this.name = source.name;
    this.byteLength = source.byteLength;
    this.#source = source;
  }

  /** Where the next read has to begin. */
  get position(): number {
    return this.#position;
  }

  /** @throws DataFormatError unless it begins where the one before it ended, and as the source does. */
  async read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    if (offset !== this.#position) {
      throw new DataFormatError(`byte ${offset} is asked for where ${this.#position} comes next`, {
        where: this.name,
      });
    }
    const bytes = await this.#source.read(offset, length);
    this.#hash.update(bytes);
    this.#position += length;
    return bytes;
  }

  /** SHA-256 of what was read, in hexadecimal digits. Ends reading. */
  digest(): string {
    return this.#hash.digest("hex");
  }

  close(): Promise<void> {
    return this.#source.close();
  }
}
