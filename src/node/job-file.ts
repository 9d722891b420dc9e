/** @file The file in which a drawing's job grows, token by token, and reading one. */
import { type FileHandle, open, rm } from "node:fs/promises";
import { InputError } from "../errors.ts";
import { readWholeFile } from "../files/file-source.ts";
import { ReplacementFile, writeAll } from "../files/replacement-file.ts";
import { syncHandle } from "../files/sync-folder.ts";
import { writeFailure } from "../files/write-failure.ts";
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
 * A job on the disk. It appears whole; each further token is handed to the system as it comes, so that it survives the end
 * of the process, however abrupt. Against power cuts the disk is told about once a second, beside the drawing.
 */
export class JobFile implements AsyncDisposable {
  readonly path: string;
  readonly #handle: FileHandle;
  #written: readonly number[];
  #flushing: Promise<unknown> = Promise.resolve();
  #flushedAt = performance.now();

  private constructor(path: string, handle: FileHandle, job: DrawingJob) {
    this.path = path;
    this.#handle = handle;
    this.#written = cellsOf(job);
  }

  /**
   * Writes a job to `path`, in place of one that is there.
   * @throws InputError naming the file if it cannot be written.
   */
  static async replace(path: string, document: JobDocument): Promise<JobFile> {
    return JobFile.#place(path, document, async (file) => {
      await file.commit();
      return path;
    });
  }

  /** {@link replace}, but under the first of endless `names` in the folder of `path` that no file has. */
  static async create(path: string, names: Iterable<string>, document: JobDocument): Promise<JobFile> {
    return JobFile.#place(path, document, (file) => file.commitAsFirstFree(names));
  }

  static async #place(
    path: string,
    document: JobDocument,
    commit: (file: ReplacementFile) => Promise<string>,
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
      return new JobFile(placed, await open(placed, "a"), document.job);
    } catch (error) {
      throw writeFailure(error, placed);
    }
  }

  /**
   * Appends the tokens that the job has more than the file.
   * @throws InputError naming the file if it cannot be written.
   */
  async append(job: DrawingJob): Promise<void> {
    try {
      await writeAll(this.#handle, encodeTokens(job, this.#written));
    } catch (error) {
      throw writeFailure(error, this.path);
    }
    this.#written = cellsOf(job);
    const now = performance.now();
    if (now - this.#flushedAt < FLUSH_MS) return;
    this.#flushedAt = now;
    // The tokens are the system's already: a disk that cannot be flushed is met again by the next write.
    this.#flushing = this.#flushing.then(() => syncHandle(this.#handle)).catch(() => {});
  }

  /** Takes the file away: the drawing is finished. */
  async remove(): Promise<void> {
    await this[Symbol.asyncDispose]();
    await rm(this.path, { force: true });
  }

  /** Leaves the file as it is. */
  async [Symbol.asyncDispose](): Promise<void> {
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
    if (!("code" in error.cause) || error.cause.code !== "ENOENT") throw error;
    throw new InputError("is not there", {
      where: path,
      remedy: "check the name; a drawing that is finished takes its file away",
      cause: error.cause,
    });
  }
}
