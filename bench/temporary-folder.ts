/**
 * @file A folder for what a benchmark writes. It goes when it is disposed, when the process ends and on a signal; what a
 * process leaves that was killed without a word is removed by the next benchmark.
 */
import { rmSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PREFIX = "nextstep-bench-";
/** The process that made the folder, and a random end. */
const NAME = new RegExp(`^${PREFIX}(\\d+)-`);
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export class TemporaryFolder implements AsyncDisposable {
  readonly path: string;
  readonly #remove = (): void => rmSync(this.path, { recursive: true, force: true });
  readonly #end = (signal: NodeJS.Signals): void => {
    this.#remove();
    this.#forget();
    process.kill(process.pid, signal);
  };

  private constructor(path: string) {
    this.path = path;
    process.once("exit", this.#remove);
    for (const signal of SIGNALS) process.once(signal, this.#end);
  }

  /** @param parent the system's folder of temporary files, unless told otherwise. */
  static async create(parent = tmpdir()): Promise<TemporaryFolder> {
    for (const name of await readdir(parent)) {
      const pid = Number(NAME.exec(name)?.[1]);
      if (pid > 0 && !isAlive(pid)) await rm(join(parent, name), { recursive: true, force: true });
    }
    return new TemporaryFolder(await mkdtemp(join(parent, `${PREFIX}${process.pid}-`)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#forget();
    await rm(this.path, { recursive: true, force: true });
  }

  #forget(): void {
    process.off("exit", this.#remove);
    for (const signal of SIGNALS) process.off(signal, this.#end);
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // A process of somebody else's answers EPERM.
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}
