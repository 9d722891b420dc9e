/** @file A store in a folder: `blobs/ab/cd/SHA256` and `drafts/ab/cd/JOB`. Any number of processes may share it. */
import { open, readdir, readFile, rename, rm, stat, utimes } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DataFormatError, InputError, StorageError } from "../../errors.ts";
import { makeFolder } from "../../files/make-folder.ts";
import { isTemporaryName, replaceFile, temporaryName, writeAll } from "../../files/replacement-file.ts";
import { syncFolder } from "../../files/sync-folder.ts";
import { hasCode, writeFailure } from "../../files/write-failure.ts";
import { isSha256 } from "../../formats/json-value.ts";
import type { BlobStore, DraftStore, StoredBlob } from "../contract/blob-store.ts";
import { blobNameOf, checkBlobName, checkJobName, fannedOut, isJobName } from "./blob-name.ts";

/** Nobody writes one file for so long. */
const ABANDONED_SECONDS = 3600;

export class FolderStore implements BlobStore {
  readonly drafts: DraftStore;
  readonly #blobs: string;

  private constructor(folder: string) {
    this.#blobs = join(folder, "blobs");
    this.drafts = new FolderDrafts(join(folder, "drafts"));
  }

  /**
   * Makes the folder if need be.
   * @throws InputError that says why it cannot be written to.
   */
  static async open(folder: string): Promise<FolderStore> {
    try {
      await makeFolder(folder);
      for (const name of await readdir(folder)) {
        if (isTemporaryName(name)) await removeAbandoned(join(folder, name));
      }
      // Found out now and not with the first picture that is drawn.
      const probe = join(folder, temporaryName());
      await (await open(probe, "wx")).close();
      await rm(probe);
    } catch (error) {
      throw writeFailure(error, folder);
    }
    return new FolderStore(folder);
  }

  async put(bytes: Uint8Array): Promise<string> {
    const name = blobNameOf(bytes);
    const path = this.#pathOf(name);
    if (await becomesYoung(path, bytes)) return name;
    try {
      await makeDurableFolders(this.#blobs, name);
      await replaceFile(path, (file) => file.write(bytes));
    } catch (error) {
      throw storageFailure(error, path);
    }
    return name;
  }

  async get(name: string): Promise<Uint8Array | undefined> {
    const path = this.#pathOf(name);
    const bytes = await readStored(path);
    if (bytes === undefined || blobNameOf(bytes) === name) return bytes;
    throw new DataFormatError("holds other bytes than were stored", {
      where: path,
      remedy: "look after the disk; the same bytes stored again put it right",
    });
  }

  async remove(name: string, before?: number): Promise<void> {
    const path = this.#pathOf(name);
    if (before !== undefined) {
      const modified = (await stat(path).catch(() => undefined))?.mtimeMs ?? 0;
      if (modified / 1000 >= before) return;
    }
    await removeStored(path);
  }

  async *list(): AsyncGenerator<StoredBlob> {
    for await (const { name, size, modified } of filesOf(this.#blobs)) {
      if (isSha256(name)) yield { name, bytes: size, modified };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** @throws InputError for what is no name: nothing else may become a path. */
  #pathOf(name: string): string {
    checkBlobName(name);
    return join(this.#blobs, ...fannedOut(name), name);
  }
}

class FolderDrafts implements DraftStore {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** A rename without a flush: a draft is written for as long as it is drawn, and what a power cut takes is drawn again. */
  async put(job: string, bytes: Uint8Array): Promise<void> {
    const path = this.#pathOf(job);
    const temporary = join(dirname(path), temporaryName());
    try {
      await makeFolder(dirname(path));
      const handle = await open(temporary, "wx");
      try {
        await writeAll(handle, bytes);
      } finally {
        await handle.close();
      }
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => {});
      throw storageFailure(error, path);
    }
  }

  async get(job: string): Promise<Uint8Array | undefined> {
    return readStored(this.#pathOf(job));
  }

  async remove(job: string): Promise<void> {
    await removeStored(this.#pathOf(job));
  }

  async *list(): AsyncGenerator<{ readonly job: string; readonly modified: number }> {
    for await (const { name, modified } of filesOf(this.#folder)) {
      if (isJobName(name)) yield { job: name, modified };
    }
  }

  #pathOf(job: string): string {
    checkJobName(job);
    return join(this.#folder, ...fannedOut(job), job);
  }
}

/** Whether the file was there and right; it then counts as stored now. */
async function becomesYoung(path: string, bytes: Uint8Array): Promise<boolean> {
  try {
    if ((await stat(path)).size !== bytes.byteLength || !(await readFile(path)).equals(bytes)) return false;
    const now = new Date();
    await utimes(path, now, now);
    return true;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return false;
    throw storageFailure(error, path);
  }
}

/** A file survives a power cut only if the folders on the way to it do. */
async function makeDurableFolders(root: string, name: string): Promise<void> {
  const [first, second] = fannedOut(name);
  const folder = join(root, first, second);
  if ((await stat(folder).catch(() => undefined)) !== undefined) return;
  await makeFolder(folder);
  for (const above of [join(root, first), root, dirname(root)]) await syncFolder(above);
}

async function readStored(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (cause) {
    if (hasCode(cause, "ENOENT")) return undefined;
    throw new StorageError("cannot be read", { where: path, cause, remedy: "look after the disk" });
  }
}

async function removeStored(path: string): Promise<void> {
  try {
    await rm(path, { force: true });
  } catch (error) {
    throw storageFailure(error, path);
  }
}

/** All files below two levels of folders; what killed processes left is removed on the way. */
async function* filesOf(
  root: string,
): AsyncGenerator<{ readonly name: string; readonly size: number; readonly modified: number }> {
  for (const first of await namesIn(root)) {
    for (const second of await namesIn(join(root, first))) {
      const folder = join(root, first, second);
      for (const name of await namesIn(folder)) {
        const path = join(folder, name);
        const found = await stat(path).catch(() => undefined);
        if (found?.isFile() !== true) continue;
        if (isTemporaryName(name)) await removeAbandoned(path);
        else yield { name, size: found.size, modified: found.mtimeMs / 1000 };
      }
    }
  }
}

/** A temporary file that nobody writes any longer. */
async function removeAbandoned(path: string): Promise<void> {
  const modified = (await stat(path).catch(() => undefined))?.mtimeMs ?? Number.POSITIVE_INFINITY;
  if (modified / 1000 < Date.now() / 1000 - ABANDONED_SECONDS) await removeStored(path);
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (cause) {
    if (hasCode(cause, "ENOENT", "ENOTDIR")) return [];
    throw new StorageError("cannot be read", { where: folder, cause, remedy: "look after the disk" });
  }
}

/** On the way of a picture a full disk is no fault of whoever asked for it. */
function storageFailure(error: unknown, path: string): unknown {
  const failure = writeFailure(error, path);
  if (!(failure instanceof InputError)) return failure;
  const { reason, where = path, remedy } = failure;
  return new StorageError(reason, { where, cause: error, ...(remedy === undefined ? {} : { remedy }) });
}
