/** @file Random access to bytes that may be far larger than memory: every reader of this room reads ranges. */

import { DataFormatError } from "../errors.ts";

/** What has to be as it was: the bytes that were opened, or also what lies under their name. */
export type Unchanged = "bytes" | "name";

export interface ByteSource {
  /** For messages: a file's path, or what the caller called the bytes. */
  readonly name: string;
  readonly byteLength: number;
  /** Where the bytes lie, if that is a file that another thread can open for itself. */
  readonly file?: string;
  /**
   * Bytes `offset` to `offset + length`, in memory of their own that starts aligned for every dtype.
   * Throws DataFormatError if the range leaves the source.
   */
  read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * For bytes that lie where others may write. Throws DataFormatError if what was opened was written to since; of `name`
   * also if its name stands for something else now, which is what another thread would open.
   */
  checkUnchanged?(what: Unchanged): Promise<void>;
  close(): Promise<void>;
}

/** Throws DataFormatError unless `offset` to `offset + length` is a range within the source. */
export function checkRange(
  source: Pick<ByteSource, "name" | "byteLength">,
  offset: number,
  length: number,
): void {
  const end = offset + length;
  if (!(Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0)) {
    throw new DataFormatError(`bytes ${offset} + ${length} are not a range`, { where: source.name });
  }
  if (end > source.byteLength) {
    throw new DataFormatError(`ends at byte ${source.byteLength}, but bytes up to ${end} are needed`, {
      where: source.name,
      remedy: "the file is truncated or damaged: fetch it again",
    });
  }
}

/** Bytes that are in memory already. */
export class MemorySource implements ByteSource {
  readonly name: string;
  readonly byteLength: number;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array, name = "memory") {
    this.name = name;
    this.byteLength = bytes.byteLength;
    this.#bytes = bytes;
  }

  async read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    checkRange(this, offset, length);
    return new Uint8Array(this.#bytes.subarray(offset, offset + length));
  }

  async close(): Promise<void> {}
}
