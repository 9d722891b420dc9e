/** @file The file in which a drawing's job grows, token by token, and reading one. */
import { access, type FileHandle, open, realpath, rm } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { InputError } from "../errors.ts";
import { readWholeFile } from "../files/file-source.ts";
import { ProcessLock } from "../files/process-lock.ts";
import { ReplacementFile, writeAll } from "../files/replacement-file.ts";
import { syncHandle } from "../files/sync-folder.ts";
import { hasCode, writeFailure } from "../files/write-failure.ts";
import type { DrawingProgress } from "../generate/drawing.ts";
import type { DrawingJob } from "../generate/drawing-job.ts";
import {
  encodeJob,
  encodeTokens,
  type JobDocument,
  type ParsedJob,
  parseJob,
} from "../generate/job-format.ts";

/** Tokens of thousands of pictures. */
const MAX_JOB_BYTES = 1024 * 1024 * 1024;
/** Longest time between two flushes to the disk while tokens come. */
const FLUSH_MS = 1000;

/**
 * {@link lockJob} for a job that is to be gone on with.
 * @throws InputError also where there is none.
 */
export async function lockExistingJob(path: string): Promise<ProcessLock> {
  await access(path).catch((cause: unknown) => {
    if (hasCode(cause, "ENOENT")) throw notThere(path, cause);
  });
  return lockJob(path);
}

/**
 * Locks the job at `path`, which need not be there, for this process; the lock ends with it at the latest.
 * @throws InputError naming the process that draws it.
 */
export async function lockJob(path: string): Promise<ProcessLock> {
  const file = await realpath(path).catch(() => resolve(path));
  const refuse = (pid: number): InputError =>
    new InputError(`process ${pid} is drawing it`, { where: path, remedy: "wait until it has ended" });
  return ProcessLock.acquire(dirname(file), refuse, basename(file));
}

/**
 * A job on the disk, locked for this process. It appears whole; each further token is handed to the system as it comes, so that it survives the end
 * of the process, however abrupt. Against power cuts the disk is told about once a second, beside the drawing.
 */
export class JobFile implements AsyncDisposable {
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #lock: ProcessLock;
  #written: readonly number[];
  #flushing: Promise<unknown> = Promise.resolve();
  #flushedAt = performance.now();

  private constructor(path: string, handle: FileHandle, lock: ProcessLock, job: DrawingJob) {
    this.path = path;
    this.#handle = handle;
    this.#lock = lock;
    this.#written = cellsOf(job);
  }

  /**
   * Writes a job to `path`, in place of one that is there; where `path` is a link, in place of what it leads to.
   * @param lock of {@link lockJob}, which is given up with the file; default: taken now
   * @throws InputError naming the file if it cannot be written, or the process that draws it.
   */
  static async replace(path: string, document: JobDocument, lock?: ProcessLock): Promise<JobFile> {
    const held = lock ?? (await lockJob(path));
    try {
      const target = await realpath(path).catch(() => path);
      return await JobFile.#place(target, document, async (file) => {
        await file.commit();
        return { path: target, lock: held };
      });
    } catch (error) {
      await held[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** {@link replace}, but under the first of endless `names` in the folder of `path` that no file has. */
  static async create(path: string, names: Iterable<string>, document: JobDocument): Promise<JobFile> {
    return JobFile.#place(path, document, async (file) => {
      const placed = await file.commitAsFirstFree(names);
      return { path: placed, lock: await lockJob(placed) };
    });
  }

  static async #place(
    path: string,
    document: JobDocument,
    commit: (file: ReplacementFile) => Promise<{ readonly path: string; readonly lock: ProcessLock }>,
  ): Promise<JobFile> {
    const file = await ReplacementFile.create(path);
    try {
      await file.write(encodeJob(document));
    } catch (error) {
      await file.discard();
      throw error;
    }
    const placed = await commit(file);
    try {
      return new JobFile(placed.path, await open(placed.path, "a"), placed.lock, document.job);
    } catch (error) {
      await placed.lock[Symbol.asyncDispose]();
      throw writeFailure(error, placed.path);
    }
  }

  /**
   * Appends the tokens that the drawing has more than the file.
   * @param progress asked for what is behind the tokens that the file holds of each picture
   * @throws InputError naming the file if it cannot be written.
   */
  async append(progress: Pick<DrawingProgress, "tokensBehind">): Promise<void> {
    const added = progress.tokensBehind(this.#written);
    try {
      await writeAll(this.#handle, encodeTokens(added));
    } catch (error) {
      throw writeFailure(error, this.path);
    }
    this.#written = added.pictures.map(({ from, tokens }) => from + tokens.length / added.tokenWidth);
    const now = performance.now();
    if (now - this.#flushedAt < FLUSH_MS) return;
    this.#flushedAt = now;
    // The tokens are the system's already: a disk that cannot be flushed is met again by the next write.
    this.#flushing = this.#flushing.then(() => syncHandle(this.#handle)).catch(() => {});
  }

  /** Takes the file away: the drawing is finished. */
  async remove(): Promise<void> {
    await this.#close();
    await rm(this.path, { force: true });
    await this.#lock[Symbol.asyncDispose]();
  }

  /** Leaves the file as it is. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close();
    await this.#lock[Symbol.asyncDispose]();
  }

  async #close(): Promise<void> {
    await this.#flushing;
    await this.#handle.close();
  }
}

function cellsOf({ pictures, tokenWidth }: DrawingJob): number[] {
  return pictures.map(({ tokens }) => tokens.length / tokenWidth);
}

/** @throws InputError for a file that cannot be read; DataFormatError for one that holds no job. */
export async function readJobFile(path: string): Promise<ParsedJob> {
  try {
    return parseJob(await readWholeFile(path, MAX_JOB_BYTES), path);
  } catch (error) {
    if (!(error instanceof InputError && error.cause instanceof Error)) throw error;
    throw hasCode(error.cause, "ENOENT") ? notThere(path, error.cause) : error;
  }
}

function notThere(path: string, cause: unknown): InputError {
  return new InputError("is not there", {
    where: path,
    remedy: "check the name; a drawing that is finished takes its file away",
    cause,
  });
}
