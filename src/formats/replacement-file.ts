/** @file Writing a file so that it is either the old one or the whole new one, whatever happens in between. */

import { randomBytes } from "node:crypto";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** A file under a temporary name beside its target; `commit` makes it durable and moves it into place. */
export class ReplacementFile {
  readonly path: string;
  readonly #temporaryPath: string;
  readonly #handle: FileHandle;
  #position = 0;
  #open = true;

  private constructor(path: string, temporaryPath: string, handle: FileHandle) {
    this.path = path;
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
      await rename(this.#temporaryPath, this.path);
    } catch (error) {
      await this.discard();
      throw error;
    }
    await syncFolder(dirname(this.path));
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

/** Without it a power cut may undo the rename. Windows cannot open folders and needs no such call. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
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
