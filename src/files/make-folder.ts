/** @file Makes folders. */
import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { InputError } from "../errors.ts";
import { hasCode } from "./write-failure.ts";

/**
 * Makes a folder, and those above it that are missing. Node's own way of doing so never ends where a file system takes
 * no folder and answers that there is none (/proc).
 * @throws InputError if something else has the name; what the system says otherwise.
 */
export async function makeFolder(path: string): Promise<void> {
  await make(path, true);
}

/** @param again whether it is tried once more where the folder above is there after all: somebody may have just made it. */
async function make(path: string, again: boolean): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if (await isFolder(path)) return;
    if (hasCode(error, "EEXIST")) {
      throw new InputError("cannot be written: is not a folder", {
        where: path,
        remedy: "name a folder, or another place",
      });
    }
    const above = dirname(path);
    if (!hasCode(error, "ENOENT") || above === path) throw error;
    if (!(await isFolder(above))) await make(above, true);
    else if (!again) throw error;
    await make(path, false);
  }
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true;
}
