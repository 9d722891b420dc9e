/**
 * @file A large file that is needed for a moment: on a disk that has room for it and is none of memory, and gone
 * afterwards, whatever happens.
 */
import { randomBytes } from "node:crypto";
import { type FileHandle, lstat, open, readdir, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import { InputError } from "../errors.ts";
import { gigabytes } from "../formats/gigabytes.ts";
import { freeBytes } from "./free-space.ts";
import { partialName } from "./partial-name.ts";
import { ProcessLock } from "./process-lock.ts";
import { writeAll } from "./replacement-file.ts";
import { hasCode, writeFailure } from "./write-failure.ts";

/** Whose hidden name all scratch files begin with. */
const NAME = "nextstep-scratch";
/** `f_type` of Linux's tmpfs and ramfs (statfs(2)): what is written there stays in memory. */
const MEMORY_FILE_SYSTEMS: ReadonlySet<number> = new Set([0x01021994, 0x858458f6]);
/** A page of memory on most machines: parts that begin with one can be mapped, and be given back, by themselves. */
const ALIGNMENT = 4096;

export interface ScratchRequest {
  /** How much will be written at most. */
  readonly bytes: number;
  /** The first that is on a disk, may be written to and has room is taken. */
  readonly folders: Iterable<string>;
  /** What the reader is told to do when no folder will do. */
  readonly remedy: string;
}

/**
 * A file under a hidden name, with a lock beside it that names its process. Disposing removes both; what killed processes
 * left is removed when the next scratch file is made in the same folder. (A file without a name would not be left at all,
 * but the engine maps files by name.)
 */
export class ScratchFile implements AsyncDisposable {
  readonly path: string;
  readonly folder: string;
  readonly #handle: FileHandle;
  readonly #lock: ProcessLock;
  readonly #remedy: string;
  #length = 0;
  #isRemoved = false;

  private constructor(folder: string, name: string, handle: FileHandle, lock: ProcessLock, remedy: string) {
    this.folder = folder;
    this.path = join(folder, name);
    this.#handle = handle;
    this.#lock = lock;
    this.#remedy = remedy;
  }

  /** @throws InputError that says of each folder why it will not do. */
  static async create({ bytes, folders, remedy }: ScratchRequest): Promise<ScratchFile> {
    const reasons: string[] = [];
    for (const folder of new Set(folders)) {
      await removeAbandoned(folder);
      const reason = await obstacle(folder, bytes);
      if (reason === undefined) {
        try {
          return await ScratchFile.#createIn(folder, remedy);
        } catch (error) {
          reasons.push(`${folder} ${error instanceof InputError ? error.reason : "cannot be written to"}`);
        }
      } else reasons.push(`${folder} ${reason}`);
    }
    throw new InputError(
      `needs a file of up to ${gigabytes(bytes)} for a moment, but ${reasons.join(", ")}`,
      {
        where: "scratch space",
        remedy,
      },
    );
  }

  static async #createIn(folder: string, remedy: string): Promise<ScratchFile> {
    const name = partialName(NAME, randomBytes(8).toString("hex"));
    // Before the file, so that nobody takes it for abandoned.
    const lock = await lockOf(folder, name);
    try {
      const handle = await open(join(folder, name), "wx", 0o600);
      return new ScratchFile(folder, name, handle, lock, remedy);
    } catch (error) {
      await lock[Symbol.asyncDispose]();
      throw writeFailure(error, folder);
    }
  }

  /**
   * Adds `bytes` at the next place where a page begins.
   * @returns that place
   * @throws InputError when the disk is full or fails
   */
  async append(bytes: Uint8Array): Promise<number> {
    const offset = Math.ceil(this.#length / ALIGNMENT) * ALIGNMENT;
    try {
      await writeAll(this.#handle, new Uint8Array(offset - this.#length));
      await writeAll(this.#handle, bytes);
    } catch (error) {
      const failure = writeFailure(error, this.folder);
      if (!(failure instanceof InputError)) throw failure;
      throw new InputError(failure.reason, { where: this.folder, remedy: this.#remedy, cause: error });
    }
    this.#length = offset + bytes.byteLength;
    return offset;
  }

  /** Ends writing, without which Windows lets nobody map it. */
  async close(): Promise<void> {
    await this.#handle.close();
  }

  /** Whether disposing has still to remove it. */
  get remains(): boolean {
    return !this.#isRemoved;
  }

  /**
   * Removes the file; where it is mapped, its bytes stay until they no longer are. Windows removes no file that is mapped:
   * then it stays, to be disposed again.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isRemoved) return;
    await this.close();
    try {
      await rm(this.path, { force: true });
    } catch (error) {
      if (hasCode(error, "EBUSY", "EPERM", "EACCES")) return;
      throw error;
    }
    this.#isRemoved = true;
    await this.#lock[Symbol.asyncDispose]();
  }
}

/** Why no file of that size can be written there, as far as it can be seen before; behind the folder's name. */
async function obstacle(folder: string, bytes: number): Promise<string | undefined> {
  try {
    if (process.platform === "linux" && MEMORY_FILE_SYSTEMS.has((await statfs(folder)).type)) {
      return "is kept in memory";
    }
  } catch {
    return "is not there";
  }
  const free = await freeBytes(folder);
  return free !== undefined && free < bytes ? `has ${gigabytes(free)} free` : undefined;
}

/** Removes files whose processes are gone. Whatever stands against that, stands against no new file. */
async function removeAbandoned(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.startsWith(partialName(NAME))) continue;
    const path = join(folder, name);
    const owner = (await lstat(path).catch(() => undefined))?.uid;
    if (owner === undefined || owner !== (process.getuid?.() ?? owner)) continue;
    try {
      await using _ = await lockOf(folder, name);
      await rm(path, { force: true });
    } catch {
      // It is in use.
    }
  }
}

function lockOf(folder: string, name: string): Promise<ProcessLock> {
  return ProcessLock.acquire(
    folder,
    (pid) => new InputError(`is in use by process ${pid}`, { where: join(folder, name) }),
    name,
  );
}
