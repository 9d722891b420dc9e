/**
 * @file A file on its way into the cache, in blocks that arrive in any order. Beside it lies a list of the blocks that
 * are whole, each with its digest, so that what a killed process left is checked rather than trusted.
 */
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { refuseAborted } from "../errors.ts";
import { makeFolder } from "../files/make-folder.ts";
import { writeAll, writeAllAt } from "../files/replacement-file.ts";
import { syncFolder, syncHandle } from "../files/sync-folder.ts";
import { writeFailure } from "../files/write-failure.ts";
import { sizeOf } from "./cache-layout.ts";

/** At most this much of each connection's work is lost when the process is killed. */
export const BLOCK_BYTES = 4 * 1024 * 1024;

/**
 * Names of this program's own: other clients write to a file of theirs, and both may be at it at the same time. All end
 * like theirs, so that whoever clears what was left over finds these too.
 */
const DATA_END = ".nextstep.incomplete";
const LIST_END = ".nextstep.blocks.incomplete";
/** A line is a number, a space and 64 digits. */
const MAX_LINE_BYTES = 80;

export class IncompleteFile implements AsyncDisposable {
  /** Where it goes when it is whole. */
  readonly path: string;
  readonly bytes: number;
  readonly #data: FileHandle;
  readonly #list: FileHandle;
  /** Blocks that are whole, by number, with their SHA-256. */
  readonly #blocks: Map<number, string>;

  private constructor(
    path: string,
    bytes: number,
    handles: readonly [FileHandle, FileHandle],
    blocks: Map<number, string>,
  ) {
    this.path = path;
    this.bytes = bytes;
    [this.#data, this.#list] = handles;
    this.#blocks = blocks;
  }

  /** Goes on with what is there, or starts. Blocks that are listed but no longer hold what they did are dropped. */
  static async open(path: string, bytes: number, signal?: AbortSignal): Promise<IncompleteFile> {
    try {
      await makeFolder(dirname(path));
      const listed = await readList(path, bytes);
      // No link that somebody else put there is followed.
      const flags = constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0);
      const data = await open(path + DATA_END, flags);
      try {
        const restart = listed === undefined ? constants.O_TRUNC : 0;
        const list = await open(
          path + LIST_END,
          constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | (constants.O_NOFOLLOW ?? 0) | restart,
        );
        const file = new IncompleteFile(path, bytes, [data, list], listed ?? new Map());
        try {
          await (listed === undefined ? writeAll(list, line(heading(bytes))) : file.#check(signal));
        } catch (error) {
          await list.close();
          throw error;
        }
        return file;
      } catch (error) {
        await data.close();
        throw error;
      }
    } catch (error) {
      throw writeFailure(error, path + DATA_END);
    }
  }

  get blockCount(): number {
    return Math.ceil(this.bytes / BLOCK_BYTES);
  }

  has(block: number): boolean {
    return this.#blocks.has(block);
  }

  /** Bytes in blocks that are whole. */
  get bytesThere(): number {
    return [...this.#blocks.keys()].reduce((sum, block) => sum + this.bytesOf(block), 0);
  }

  /** Of a block; the last one is shorter. */
  bytesOf(block: number): number {
    return Math.min(BLOCK_BYTES, this.bytes - block * BLOCK_BYTES);
  }

  async write(position: number, bytes: Uint8Array): Promise<void> {
    try {
      await writeAllAt(this.#data, bytes, position);
    } catch (error) {
      throw writeFailure(error, this.path);
    }
  }

  /** Notes that a block is whole; `sha256` is of what was written. */
  async finish(block: number, sha256: string): Promise<void> {
    try {
      await writeAll(this.#list, line(`${block} ${sha256}`));
    } catch (error) {
      throw writeFailure(error, this.path);
    }
    this.#blocks.set(block, sha256);
  }

  /** What is on the disk of a block; shorter than it should be if the file is. */
  async read(block: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(this.bytesOf(block));
    let done = 0;
    while (done < bytes.length) {
      const { bytesRead } = await this.#data.read(
        bytes,
        done,
        bytes.length - done,
        block * BLOCK_BYTES + done,
      );
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return bytes.subarray(0, done);
  }

  /** Moves the whole file into place. */
  async commit(): Promise<void> {
    try {
      await this.#data.truncate(this.bytes);
      await syncHandle(this.#data);
      await this.#close();
      await rename(this.path + DATA_END, this.path);
      await rm(this.path + LIST_END, { force: true });
      await syncFolder(dirname(this.path));
    } catch (error) {
      throw writeFailure(error, this.path);
    }
  }

  /** Throws away what is there. */
  async discard(): Promise<void> {
    await this.#close();
    await discardIncomplete(this.path);
  }

  /** Closes it; what is there stays for the next time. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
  }

  async #close(): Promise<void> {
    await Promise.all([this.#data.close(), this.#list.close()]);
  }

  async #check(signal: AbortSignal | undefined): Promise<void> {
    for (const [block, sha256] of this.#blocks) {
      refuseAborted(signal);
      const found = createHash("sha256")
        .update(await this.read(block))
        .digest("hex");
      if (found !== sha256) this.#blocks.delete(block);
    }
  }
}

/** Removes what is left of a file that was on its way to `path`. */
export async function discardIncomplete(path: string): Promise<void> {
  await rm(path + DATA_END, { force: true });
  await rm(path + LIST_END, { force: true });
}

/** Bytes on the disk of a file of `bytes` that was begun earlier, as its list says. */
export async function bytesBegun(path: string, bytes: number): Promise<number> {
  const blocks = await readList(path, bytes);
  if (blocks === undefined || (await sizeOf(path + DATA_END)) === undefined) return 0;
  return Math.min(bytes, blocks.size * BLOCK_BYTES);
}

/** Undefined if there is no list, or one of another file or another layout. */
async function readList(path: string, bytes: number): Promise<Map<number, string> | undefined> {
  const count = Math.ceil(bytes / BLOCK_BYTES);
  const size = await sizeOf(path + LIST_END);
  // Each time a damaged block is fetched again its line is added; a list far longer than that is not ours.
  if (size === undefined || size > MAX_LINE_BYTES * (4 * count + 64)) return undefined;
  const [head, ...lines] = (await readFile(path + LIST_END, "utf8")).split("\n");
  if (head !== heading(bytes)) return undefined;
  const blocks = new Map<number, string>();
  for (const text of lines) {
    const match = /^(\d{1,9}) ([0-9a-f]{64})$/.exec(text);
    // The last line of a killed process may be half of one.
    if (match !== null && Number(match[1]) < count) blocks.set(Number(match[1]), match[2] as string);
  }
  return blocks;
}

function heading(bytes: number): string {
  return `nextstep blocks 1: ${BLOCK_BYTES} of ${bytes}`;
}

function line(text: string): Uint8Array {
  return new TextEncoder().encode(`${text}\n`);
}
