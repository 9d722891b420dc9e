/** @file Folders compared by their content, and searched for what should not be there. */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";

/** Names under which files and folders are on their way in or out. */
const PASSING = /\.(?:partial|replaced|removed)(?:$|-)|^\.lock-|^\.model$/;

/** Paths of all files below a folder, in order; none where there is no folder. */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}

/** Names and SHA-256 of all files below a folder, as one text. */
export async function folderDigest(folder: string): Promise<string> {
  const lines: string[] = [];
  for (const name of await filesBelow(folder)) {
    lines.push(`${name} ${digestOf(await readFile(join(folder, name)))}`);
  }
  return lines.join("\n");
}

export function digestOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Files and folders that were not finished. */
export async function leftBehind(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter(({ name }) => PASSING.test(name))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}
