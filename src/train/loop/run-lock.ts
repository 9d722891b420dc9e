/** @file One trainer at a time in a run folder. */
import { randomBytes } from "node:crypto";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { InputError } from "../../errors.ts";
import { makeFolder } from "../../files/make-folder.ts";
import { removeTemporaryFiles } from "../../files/replacement-file.ts";
import { writeFailure } from "../../files/write-failure.ts";

const LOCK_NAME = /^\.lock-(\d+)-(\d+)-[0-9a-f]+$/;
/** Two that come at the same moment see each other and both step back, for different times. */
const TRIES = 4;
const LONGEST_PAUSE_MS = 200;

/**
 * A file `.lock-PID-START-RANDOM`. Each trainer writes its own and then looks for others, so that there is no moment at
 * which a lock is taken over: files of processes that are gone are removed by whoever comes.
 */
export class RunLock implements AsyncDisposable {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  /**
   * Removes the temporary files of processes that were killed, now that nobody writes there.
   * @param folder the run folder; made if need be.
   * @throws InputError naming the process that trains there, or the folder when it cannot be written to.
   */
  static async acquire(folder: string): Promise<RunLock> {
    try {
      const lock = await RunLock.#acquire(folder);
      await removeTemporaryFiles(folder);
      return lock;
    } catch (cause) {
      throw writeFailure(cause, folder);
    }
  }

  static async #acquire(folder: string): Promise<RunLock> {
    await makeFolder(folder);
    const name = `.lock-${process.pid}-${await processStart(process.pid)}-${randomBytes(4).toString("hex")}`;
    const path = join(folder, name);
    for (let tries = 1; ; tries++) {
      await writeFile(path, "", { flag: "wx" });
      const other = await otherTrainer(folder, name);
      if (other === undefined) return new RunLock(path);
      await rm(path, { force: true });
      if (tries === TRIES) {
        throw new InputError(`process ${other} trains in this folder`, {
          where: folder,
          remedy: "wait until it has ended, or choose another output folder",
        });
      }
      await wait(LONGEST_PAUSE_MS * Math.random());
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#path, { force: true });
  }
}

/** Process of another lock in the folder. */
async function otherTrainer(folder: string, own: string): Promise<number | undefined> {
  for (const name of await readdir(folder)) {
    const match = LOCK_NAME.exec(name);
    if (match === null || name === own) continue;
    const pid = Number(match[1]);
    if ((await isRunning(pid)) && (await processStart(pid)) === match[2]) return pid;
    await rm(join(folder, name), { force: true });
  }
  return undefined;
}

async function isRunning(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // Another user's process may not be signalled, but it is there.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
  return true;
}

/** When a process was started, so that a number that is used again is not taken for it; "0" where it is not known. */
async function processStart(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  // The name of the program, in brackets, may hold spaces; the start is the 20th field behind it.
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "0";
}
