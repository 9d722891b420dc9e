/** @file The regular files below a folder. */

import type { Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { AbortedError, InputError } from "../../errors.ts";
import type { PassedOver } from "./passed-over.ts";

export interface FolderFiles {
  /** Relative to the folder, with "/", sorted. */
  readonly files: readonly string[];
  /** Links, hidden and special files, folders that cannot be listed. */
  readonly passedOver: readonly PassedOver[];
}

/**
 * Lists a folder and its sub-folders. Links are not followed: they may lead anywhere, and in circles.
 * @throws InputError when there is no such folder; AbortedError when cancelled.
 */
export async function walkFiles(folder: string, signal?: AbortSignal): Promise<FolderFiles> {
  const kind = await stat(folder).catch(() => undefined);
  if (kind === undefined) throw new InputError("there is no such folder", { where: folder });
  if (!kind.isDirectory())
    throw new InputError("is not a folder", { where: folder, remedy: "name a folder" });
  const files: string[] = [];
  const left: PassedOver[] = [];
  const waiting = [""];
  for (let inside = waiting.pop(); inside !== undefined; inside = waiting.pop()) {
    if (signal?.aborted) throw new AbortedError("listing was not finished", { where: folder });
    for (const entry of await entriesOf(folder, inside, left)) {
      const name = inside === "" ? entry.name : `${inside}/${entry.name}`;
      if (entry.name.startsWith(".")) left.push({ name, reason: "hidden file or folder" });
      else if (entry.isDirectory()) waiting.push(name);
      else if (entry.isFile()) files.push(name);
      else if (entry.isSymbolicLink()) left.push({ name, reason: "symbolic link" });
      else left.push({ name, reason: "not a regular file" });
    }
  }
  return { files: files.sort(), passedOver: left.sort((a, b) => (a.name < b.name ? -1 : 1)) };
}

async function entriesOf(folder: string, inside: string, left: PassedOver[]): Promise<Dirent[]> {
  try {
    return await readdir(join(folder, inside), { withFileTypes: true });
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    if (inside === "") throw new InputError(`cannot be listed: ${detail}`, { where: folder, cause });
    left.push({ name: inside, reason: "folder that cannot be listed", detail });
    return [];
  }
}
