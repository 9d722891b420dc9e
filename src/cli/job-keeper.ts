/** @file Keeps a drawing that takes long in a job file, so that whatever ends the process, the drawing can go on. */

import { stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { InputError, NextStepError } from "../errors.ts";
import { printable } from "../formats/quoted.ts";
import type { DrawingProgress } from "../generate/drawing.ts";
import type { DrawingJob } from "../generate/drawing-job.ts";
import { JobFile } from "../node/job-file.ts";
import { checkWritable, promptSlug, type Target } from "./picture-file.ts";
import { shellWord } from "./shell-word.ts";
import type { Terminal } from "./terminal.ts";

/** Drawings shorter than this are sooner begun anew than looked after. */
const LONG_MS = 60_000;
const EXTENSION = ".job";

export interface JobKeeperOptions {
  /** Where the job goes however long the drawing takes; default: beside the pictures, if it takes long. */
  readonly job?: string;
  readonly out: Target;
  /** What the file holds for `nextstep resume`. */
  readonly own: unknown;
  readonly now?: () => number;
}

/** Follows one drawing. */
export class JobKeeper {
  readonly #options: JobKeeperOptions;
  readonly #terminal: Pick<Terminal, "err">;
  readonly #now: () => number;
  #file: JobFile | undefined;
  #given = false;
  #first: { readonly at: number; readonly token: number } | undefined;

  constructor(options: JobKeeperOptions, terminal: Pick<Terminal, "err">, file?: JobFile) {
    this.#options = options;
    this.#terminal = terminal;
    this.#now = options.now ?? (() => performance.now());
    this.#file = file;
  }

  /** Whether there is a job that `nextstep resume` goes on with. */
  get isKept(): boolean {
    return this.#file !== undefined;
  }

  /** Before the first token. */
  async start(job: () => Promise<DrawingJob>): Promise<void> {
    const { job: path, own } = this.#options;
    if (path === undefined || this.#file !== undefined) return;
    this.#file = await JobFile.replace(path, { job: await job(), own });
  }

  /** After each token. A file that cannot be written is said once, and the drawing goes on. */
  async follow(progress: DrawingProgress): Promise<void> {
    if (this.#given) return;
    try {
      if (this.#file !== undefined) await this.#file.append(progress);
      else if (this.#isLong(progress)) this.#file = await this.#createBeside(progress.job());
    } catch (error) {
      if (!(error instanceof NextStepError)) throw error;
      this.#given = true;
      this.#terminal.err.write(
        `note: ${printable(error.message)}; the drawing goes on without saving more\n`,
      );
    }
  }

  /** The pictures are saved. */
  async finish(): Promise<void> {
    await this.#file?.remove();
    this.#file = undefined;
  }

  /** The work ended before that: says how to go on. */
  async leave(): Promise<void> {
    if (this.#file === undefined) return;
    await this.#file[Symbol.asyncDispose]();
    this.#terminal.err.write(`go on with: nextstep resume ${typedWord(this.#file.path)}\n`);
  }

  /** By the time between the first token and this one. */
  #isLong({ token, of }: DrawingProgress): boolean {
    if (this.#options.out.kind === "stdout") return false;
    const now = this.#now();
    this.#first ??= { at: now, token };
    const drawn = token - this.#first.token;
    return drawn > 0 && ((now - this.#first.at) / drawn) * (of - this.#first.token) >= LONG_MS;
  }

  async #createBeside(job: DrawingJob): Promise<JobFile> {
    const { out, own } = this.#options;
    const { recipe } = job.pictures[0] as DrawingJob["pictures"][number];
    const stem =
      out.kind === "file"
        ? out.path.replace(/\.png$/i, "")
        : join(out.kind === "folder" ? out.path : ".", `${promptSlug(recipe.prompt)}-${recipe.seed}`);
    return JobFile.create(join(dirname(stem), EXTENSION), jobNames(stem), { job, own });
  }
}

function* jobNames(stem: string): Generator<string> {
  yield stem + EXTENSION;
  for (let number = 2; ; number++) yield `${stem}-${number}${EXTENSION}`;
}

/** @throws InputError for a file that cannot be written, or that is there: it may hold hours of work. */
export async function checkNewJob(path: string): Promise<void> {
  await checkWritable(path);
  if ((await stat(path).catch(() => undefined)) === undefined) return;
  throw new InputError("is there already", {
    where: path,
    remedy: `go on with it (nextstep resume ${typedWord(path)}), remove it, or choose another name`,
  });
}

/** As a person would type it: in quotes only where it needs them. */
function typedWord(text: string): string {
  const isPlain = /^[\w./@%+=:,-]+$/.test(text) && !text.startsWith("-");
  return isPlain ? text : shellWord(printable(text));
}
