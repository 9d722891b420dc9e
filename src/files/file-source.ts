/** @file A file on the disk as a source of bytes. */

import type { Stats } from "node:fs";
import { constants } from "node:fs";
import { type FileHandle, open, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { DataFormatError, InputError } from "../errors.ts";
import { type ByteSource, checkRange, type Unchanged } from "../formats/byte-source.ts";

/** One system call moves less than 2 GiB; smaller pieces keep the thread pool responsive. */
const MAX_READ_BYTES = 256 * 1024 * 1024;

/** A file, read in ranges through one handle; safe for concurrent reads. */
export class FileSource implements ByteSource {
  readonly name: string;
  readonly byteLength: number;
  readonly file: string;
  readonly #handle: FileHandle;
  readonly #opened: Stats;

  private constructor(path: string, opened: Stats, handle: FileHandle) {
    this.name = path;
    this.file = resolve(path);
    this.byteLength = opened.size;
    this.#handle = handle;
    this.#opened = opened;
  }

  /** Opens `path`. Throws InputError if there is no such readable regular file. */
  static async open(path: string): Promise<FileSource> {
    let handle: FileHandle;
    try {
      // Before it is opened: to open a pipe is to wait for its other end.
      if (!(await stat(path)).isFile()) throw notAFile(path);
      // Should a pipe have taken its place since, opening it must not wait either.
      handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    } catch (cause) {
      if (cause instanceof InputError) throw cause;
      throw new InputError("cannot be opened", { where: path, cause, remedy: describeOpenFailure(cause) });
    }
    try {
      const found = await handle.stat();
      if (!found.isFile()) throw notAFile(path);
      return new FileSource(path, found, handle);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  async read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
    checkRange(this, offset, length);
    const bytes = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const want = Math.min(length - done, MAX_READ_BYTES);
      const { bytesRead } = await this.#handle.read(bytes, done, want, offset + done);
      if (bytesRead === 0) {
        throw new DataFormatError("became shorter while it was read", {
          where: this.name,
          remedy: "make sure nothing writes to it",
        });
      }
      done += bytesRead;
    }
    return bytes;
  }

  async checkUnchanged(what: Unchanged): Promise<void> {
    const { dev, ino, size, mtimeMs } = this.#opened;
    const now = what === "bytes" ? await this.#handle.stat() : await stat(this.file).catch(() => undefined);
    if (now?.dev === dev && now.ino === ino && now.size === size && now.mtimeMs === mtimeMs) return;
    throw new DataFormatError("was changed, replaced or taken away while it was in use", {
      where: this.name,
      remedy: "open the model again, and make sure nothing writes to it",
    });
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

/**
 * All bytes of a file.
 * Throws InputError if there is no such readable regular file, DataFormatError if it holds more than `maxBytes`.
 */
export async function readWholeFile(path: string, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const source = await FileSource.open(path);
  try {
    if (source.byteLength > maxBytes) {
      throw new DataFormatError(`${source.byteLength} bytes are too many, at most ${maxBytes} are read`, {
        where: path,
      });
    }
    return await source.read(0, source.byteLength);
  } finally {
    await source.close();
  }
}

function notAFile(path: string): InputError {
  return new InputError("is not a regular file", { where: path, remedy: "name a file" });
}

function describeOpenFailure(cause: unknown): string {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  if (code === "ENOENT") return "there is no such file";
  if (code === "ENOTDIR") return "a part of the path is a file";
  if (code === "EACCES" || code === "EPERM") return "permission is missing";
  return cause instanceof Error ? cause.message : String(cause);
}
