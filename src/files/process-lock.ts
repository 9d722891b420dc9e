/** @file One process at a time, by a file that names it. */
import { createHash, randomBytes } from "node:crypto";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { NextStepError } from "../errors.ts";
import { makeFolder } from "./make-folder.ts";
import { hasCode, writeFailure } from "./write-failure.ts";

/** What of a lock's name tells the process: number, start, and a random end. */
const HOLDER = /^(\d+)-(\d+)-[0-9a-f]+$/;
/** Two that come at the same moment see each other and both step back, for different times. */
const TRIES = 4;
const LONGEST_PAUSE_MS = 200;

/**
 * A file `.lock-PID-START-RANDOM`, or `.lock-FILE-PID-START-RANDOM` for one file of the folder. Each process writes its own and then looks for others, so that there is no moment at
 * which a lock is taken over: files of processes that are gone are removed by whoever comes.
 */
export class ProcessLock implements AsyncDisposable {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  /**
   * @param folder that is locked; made if need be.
   * @param refuse what is thrown when another process, given by its number, holds the lock.
   * @param file name of the file in the folder that is locked in place of the folder; need not be there.
   */
  static async acquire(
    folder: string,
    refuse: (pid: number) => NextStepError,
    file?: string,
  ): Promise<ProcessLock> {
    const start = lockStart(file);
    const name = `${start}${process.pid}-${await processStart(process.pid)}-${randomBytes(4).toString("hex")}`;
    const path = join(folder, name);
    for (let tries = 1; ; tries++) {
      try {
        await makeFolder(folder);
        await writeFile(path, "", { flag: "wx" });
      } catch (error) {
        throw writeFailure(error, folder);
      }
      const other = await otherHolder(folder, start, name);
      if (other === undefined) return new ProcessLock(path);
      await rm(path, { force: true });
      if (tries === TRIES) throw refuse(other);
      await wait(LONGEST_PAUSE_MS * Math.random());
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#path, { force: true });
  }
}

/** A file is named by a digest: its own name may be as long as a name can be. */
function lockStart(file: string | undefined): string {
  if (file === undefined) return ".lock-";
  return `.lock-${createHash("sha256").update(file).digest("hex").slice(0, 16)}-`;
}

/** Process of another lock of the same thing in the folder. */
async function otherHolder(folder: string, start: string, own: string): Promise<number | undefined> {
  for (const name of await namesIn(folder)) {
    const match = name.startsWith(start) ? HOLDER.exec(name.slice(start.length)) : null;
    if (match === null || name === own) continue;
    const pid = Number(match[1]);
    if (isRunning(pid) && (await processStart(pid)) === match[2]) return pid;
    await rm(join(folder, name), { force: true });
  }
  return undefined;
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return [];
    throw error;
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // Another user's process may not be signalled, but it is there.
    return hasCode(error, "EPERM");
  }
  return true;
}

/** When a process was started, so that a number that is used again is not taken for it; "0" where it is not known. */
async function processStart(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  // The name of the program, in brackets, may hold spaces; the start is the 20th field behind it.
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "0";
}
