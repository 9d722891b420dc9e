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
    if (!hasCode(error, "ENOENT") || above === path || (await isFolder(above))) throw error;
    await makeFolder(above);
    await makeFolder(path);
  }
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true;
}
