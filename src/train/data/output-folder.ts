/** @file A folder that appears under its name only when it is complete. */

import { mkdir, readdir, rename, rm, rmdir } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { ConfigError } from "../../errors.ts";
import { makeFolder } from "../../files/make-folder.ts";
import { partialName } from "../../files/partial-name.ts";
import { hasCode, writeFailure } from "../../files/write-failure.ts";

/** A folder under construction beside its final place. Disposing it without `commit` removes everything. */
export class OutputFolder {
  readonly path: string;
  /** Write here; becomes `path` on commit. */
  readonly workPath: string;
  #committed = false;

  private constructor(path: string, workPath: string) {
    this.path = path;
    this.workPath = workPath;
  }

  /**
   * Starts a new folder. What a killed earlier run for the same folder left behind is removed.
   * @throws ConfigError when `out` exists and is not an empty folder; InputError when it cannot be made.
   */
  static async create(out: string): Promise<OutputFolder> {
    try {
      return await OutputFolder.#create(out);
    } catch (cause) {
      throw writeFailure(cause, out);
    }
  }

  static async #create(out: string): Promise<OutputFolder> {
    const path = resolve(out);
    if ((await entriesOf(path)).length > 0) {
      throw new ConfigError("the folder is not empty", {
        where: out,
        remedy: "name a new folder or remove this one first",
      });
    }
    const parent = dirname(path);
    await makeFolder(parent);
    const stem = partialName(basename(path));
    for (const name of await readdir(parent)) {
      if (name.startsWith(stem) && !isAlive(Number(name.slice(stem.length)))) {
        await rm(join(parent, name), { recursive: true, force: true });
      }
    }
    const workPath = join(parent, partialName(basename(path), String(process.pid)));
    await mkdir(workPath);
    return new OutputFolder(path, workPath);
  }

  /**
   * Moves the finished folder to its place.
   * @throws InputError when something else has taken that place in the meantime.
   */
  async commit(): Promise<void> {
    try {
      // An empty folder of that name was accepted above; some systems do not rename over one.
      await rmdir(this.path).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "ENOENT") throw error;
      });
      await rename(this.workPath, this.path);
    } catch (cause) {
      throw writeFailure(cause, this.path);
    }
    this.#committed = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#committed) await rm(this.workPath, { recursive: true, force: true });
  }
}

async function entriesOf(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (cause) {
    if (hasCode(cause, "ENOENT")) return [];
    throw new ConfigError("is not a folder that can be written", {
      where: path,
      remedy: "name a new folder",
      cause,
    });
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return hasCode(error, "EPERM");
  }
}
