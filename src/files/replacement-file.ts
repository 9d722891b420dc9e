/** @file Writing a file so that it is either the old one or the whole new one, whatever happens in between. */

import { randomBytes } from "node:crypto";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { ByteSink } from "../formats/byte-sink.ts";
import { syncFolder } from "./sync-folder.ts";

/** A file under a temporary name beside its target; `commit` makes it durable and moves it into place. */
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
    const folder = dirname(path);
    await mkdir(folder, { recursive: true });
    const temporaryPath = join(folder, `.${basename(path)}.${randomBytes(6).toString("hex")}.partial`);
    return new ReplacementFile(path, temporaryPath, await open(temporaryPath, "wx"));
  }

  /** Bytes written so far. */
  get position(): number {
    return this.#position;
  }

  /** Appends all of `bytes`. */
  async write(bytes: Uint8Array): Promise<void> {
    let done = 0;
    while (done < bytes.byteLength) {
      const { bytesWritten } = await this.#handle.write(bytes, done, bytes.byteLength - done);
      done += bytesWritten;
    }
    this.#position += bytes.byteLength;
  }

  /** Flushes to the disk, then renames over the target. Leaves nothing behind if that fails. */
  async commit(): Promise<void> {
    try {
      await this.#handle.sync();
      await this.#close();
      await rename(this.#temporaryPath, this.name);
    } catch (error) {
      await this.discard();
      throw error;
    }
    await syncFolder(dirname(this.name));
  }

  /** Gives up: removes the temporary file. Harmless after `commit`. */
  async discard(): Promise<void> {
    await this.#close();
    await rm(this.#temporaryPath, { force: true });
  }

  async #close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await this.#handle.close();
  }
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
