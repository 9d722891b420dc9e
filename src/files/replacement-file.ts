/** @file Writing a file so that it is either the old one or the whole new one, whatever happens in between. */

import { randomBytes } from "node:crypto";
import { type FileHandle, link, open, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { ByteSink } from "../formats/byte-sink.ts";
import { makeFolder } from "./make-folder.ts";
import { syncFolder, syncHandle } from "./sync-folder.ts";
import { hasCode, writeFailure } from "./write-failure.ts";

/** What a killed process leaves of a file that it was writing. */
const TEMPORARY_NAME = /^\.[0-9a-f]{16}\.partial$/;

/** Without the target's name: the longest that a system takes would be too long with more around it. */
export function temporaryName(): string {
  return `.${randomBytes(8).toString("hex")}.partial`;
}

export function isTemporaryName(name: string): boolean {
  return TEMPORARY_NAME.test(name);
}

/** One system call moves less than 2 GiB; smaller pieces keep the thread pool responsive. */
export const MAX_WRITE_BYTES = 256 * 1024 * 1024;

/** A file handle, as far as writing takes one. */
interface PieceWriter {
  write(bytes: Uint8Array, offset: number, length: number): Promise<{ readonly bytesWritten: number }>;
}

/** Appends all of `bytes` at the handle's position, in pieces that every system takes. */
export async function writeAll(handle: PieceWriter, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.byteLength) {
    const { bytesWritten } = await handle.write(
      bytes,
      done,
      Math.min(bytes.byteLength - done, MAX_WRITE_BYTES),
    );
    done += bytesWritten;
  }
}

/** Puts all of `bytes` at a position of the file, in such pieces. */
export function writeAllAt(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  const write: PieceWriter["write"] = (part, from, length) =>
    handle.write(part, from, length, position + from);
  return writeAll({ write }, bytes);
}

/**
 * A file under a temporary name beside its target; `commit` makes it durable and moves it into place. What the system
 * refuses is thrown as an InputError that names the target.
 */
export class ReplacementFile implements ByteSink {
  /** Its path. */
  readonly name: string;
  readonly #temporaryPath: string;
  readonly #handle: FileHandle;
  #position = 0;
  #open = true;

  private constructor(path: string, temporaryPath: string, handle: FileHandle) {
    this.name = path;
    this.#temporaryPath = temporaryPath;
    this.#handle = handle;
  }

  /** Starts writing `path`; its folder is made if need be. */
  static async create(path: string): Promise<ReplacementFile> {
    try {
      const folder = dirname(path);
      await makeFolder(folder);
      const temporaryPath = join(folder, temporaryName());
      return new ReplacementFile(path, temporaryPath, await open(temporaryPath, "wx"));
    } catch (error) {
      throw writeFailure(error, path);
    }
  }

  /** Bytes written so far. */
  get position(): number {
    return this.#position;
  }

  /** Appends all of `bytes`. */
  async write(bytes: Uint8Array): Promise<void> {
    try {
      await writeAll(this.#handle, bytes);
    } catch (error) {
      throw writeFailure(error, this.name);
    }
    this.#position += bytes.byteLength;
  }

  /** Puts `bytes` where they belong, whatever else is written yet. Does not move {@link position}. */
  async writeAt(bytes: Uint8Array, position: number): Promise<void> {
    try {
      await writeAllAt(this.#handle, bytes, position);
    } catch (error) {
      throw writeFailure(error, this.name);
    }
  }

  /** Flushes to the disk, then renames over the target. Leaves nothing behind if that fails. */
  async commit(): Promise<void> {
    await this.#finish(() => rename(this.#temporaryPath, this.name));
  }

  /**
   * Flushes to the disk, then takes the first of `names` that no file has, in one step: of several that write at once
   * each gets a name of its own.
   * @param names paths in the target's folder, without end.
   * @returns the name it took
   */
  async commitAsFirstFree(names: Iterable<string>): Promise<string> {
    return this.#finish(async () => {
      for (const name of names) {
        if (await takeName(this.#temporaryPath, name)) return name;
      }
      throw new Error("the names came to an end");
    });
  }

  /** Gives up: removes the temporary file. Harmless after `commit`. */
  async discard(): Promise<void> {
    await this.#close();
    await rm(this.#temporaryPath, { force: true });
  }

  async #finish<T>(place: () => Promise<T>): Promise<T> {
    try {
      await syncHandle(this.#handle);
      await this.#close();
      const result = await place();
      await syncFolder(dirname(this.name));
      return result;
    } catch (error) {
      await this.discard();
      throw writeFailure(error, this.name);
    }
  }

  async #close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.#handle.close();
  }
}

/** Removes what killed processes left below a folder of which it is known that nobody writes to it. */
export async function removeTemporaryFiles(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (isTemporaryName(entry.name)) await rm(join(entry.parentPath, entry.name), { force: true });
  }
}

/** Whether `name` was free and is now the file's. */
async function takeName(temporaryPath: string, name: string): Promise<boolean> {
  try {
    await link(temporaryPath, name);
    await rm(temporaryPath);
    return true;
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false;
    if (!hasCode(error, "EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK")) throw error;
  }
  // A file system without links: an empty file holds the name until it is replaced.
  try {
    await (await open(name, "wx")).close();
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false;
    throw error;
  }
  await rename(temporaryPath, name);
  return true;
}

/** Writes `path` through `fill`; the file appears whole, or not at all if `fill` throws. */
export async function replaceFile(
  path: string,
  fill: (file: ReplacementFile) => Promise<void>,
): Promise<void> {
  const file = await ReplacementFile.create(path);
  try {
    await fill(file);
  } catch (error) {
    await file.discard();
    throw error;
  }
  await file.commit();
}

/** Writes `path` as UTF-8 text; it appears whole, or not at all. */
export function replaceText(path: string, text: string): Promise<void> {
  return replaceFile(path, (file) => file.write(new TextEncoder().encode(text)));
}
