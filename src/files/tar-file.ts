/** @file A tar archive on the disk, written member by member. */

import { TarWriter } from "../formats/tar-writer.ts";
import { ReplacementFile } from "./replacement-file.ts";

/** Streams members to a temporary file; the archive appears under its name when `close` succeeds. */
export class TarFile {
  readonly #file: ReplacementFile;
  readonly #writer: TarWriter;

  private constructor(file: ReplacementFile) {
    this.#file = file;
    this.#writer = new TarWriter(file);
  }

  /** Starts the archive `path`; its folder is made if need be. */
  static async create(path: string): Promise<TarFile> {
    return new TarFile(await ReplacementFile.create(path));
  }

  /** Bytes written so far, so that callers can begin another shard in time. */
  get byteLength(): number {
    return this.#file.position;
  }

  /** Adds a regular file. Throws InputError if the name does not fit a ustar header. */
  add(name: string, contents: Uint8Array | string): Promise<void> {
    return this.#writer.add(name, contents);
  }

  /** Writes the end mark and puts the archive in place. */
  async close(): Promise<void> {
    try {
      await this.#writer.finish();
    } catch (error) {
      await this.#file.discard();
      throw error;
    }
    await this.#file.commit();
  }

  /** Gives up; nothing is left behind. */
  async discard(): Promise<void> {
    await this.#file.discard();
  }
}
