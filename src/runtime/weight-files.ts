/** @file Weights that lie in files: checked before anything is read or mapped, read where they must be converted. */
import { type FileHandle, open, realpath, stat } from "node:fs/promises";
import { InputError, ModelFormatError } from "../errors.ts";
import type { WeightRange } from "./engine.ts";

/** One system call moves less than 2 GiB. */
const MAX_READ_BYTES = 256 * 2 ** 20;

interface OpenFile {
  readonly handle: FileHandle;
  /** Without symbolic links. */
  readonly path: string;
  readonly byteLength: number;
}

/** The files of one session, each opened once. */
export class WeightFiles implements AsyncDisposable {
  readonly #files = new Map<string, OpenFile>();

  /**
   * The real path of a range's file, once it is certain that the range lies in it.
   * @throws InputError when there is no such regular file, ModelFormatError when it ends before the range does.
   */
  async locate({ file, offset, length }: WeightRange): Promise<string> {
    const { path, byteLength } = await this.#open(file);
    if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0) {
      throw new ModelFormatError(`bytes ${offset} + ${length} are not a range`, { where: file });
    }
    if (offset + length > byteLength) {
      throw new ModelFormatError(
        `ends at byte ${byteLength}, but bytes up to ${offset + length} are needed`,
        {
          where: file,
          remedy: "the file is truncated or damaged: fetch it again",
        },
      );
    }
    return path;
  }

  /** The bytes of a range, aligned for every element type. @throws as {@link locate} does. */
  async read(range: WeightRange): Promise<Uint8Array<ArrayBuffer>> {
    await this.locate(range);
    const { handle } = await this.#open(range.file);
    const bytes = new Uint8Array(range.length);
    let done = 0;
    while (done < bytes.byteLength) {
      const want = Math.min(bytes.byteLength - done, MAX_READ_BYTES);
      const { bytesRead } = await handle.read(bytes, done, want, range.offset + done);
      if (bytesRead === 0) {
        throw new ModelFormatError("became shorter while it was read", {
          where: range.file,
          remedy: "make sure nothing writes to it",
        });
      }
      done += bytesRead;
    }
    return bytes;
  }

  async #open(file: string): Promise<OpenFile> {
    const known = this.#files.get(file);
    if (known !== undefined) return known;
    try {
      const path = await realpath(file);
      // Asked before it is opened: opening a pipe would wait for its other end.
      const { size } = await stat(path).then((stats) => {
        if (!stats.isFile()) throw new InputError("is not a regular file", { where: file });
        return stats;
      });
      const opened: OpenFile = { handle: await open(path, "r"), path, byteLength: size };
      this.#files.set(file, opened);
      return opened;
    } catch (cause) {
      if (cause instanceof InputError) throw cause;
      const remedy = cause instanceof Error ? cause.message : String(cause);
      throw new InputError("cannot be opened", { where: file, remedy, cause });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { handle } of this.#files.values()) await handle.close();
    this.#files.clear();
  }
}
