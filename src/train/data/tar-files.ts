/** @file The tars that a path means. */

import type { Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { InputError } from "../../errors.ts";

/** Endings of tars that would have to be unpacked first. */
const COMPRESSED_TAR = /\.(?:tgz|tbz2?|txz|tzst|tar\.[a-z0-9]{1,4})$/i;

/** Data sets keep their tars in a split or a shard folder, not deeper; links in circles end here. */
const MAX_DEPTH = 4;

/**
 * The tars that a path means: itself, or those directly in a folder, by name.
 * @throws InputError when there is no such path, a folder without tars or with compressed ones that would be missed,
 *   or a tar that is no regular file.
 */
export async function listTars(path: string | readonly string[]): Promise<string[]> {
  const tars: string[] = [];
  for (const one of typeof path === "string" ? [path] : path) {
    const inside = (await kindOf(one)) === "folder" ? await tarsIn(one) : [one];
    for (const tar of inside) {
      if ((await kindOf(tar)) !== "file") {
        throw new InputError("is not a regular file", { where: tar, remedy: "name a tar" });
      }
    }
    tars.push(...inside);
  }
  return tars;
}

/**
 * A path that is a file, or the folders at or below it that hold tars: a data set each (train/ and heldout/ apart).
 * @throws InputError when there is no such path or there are no tars.
 */
export async function listTarSets(path: string): Promise<string[]> {
  const sets = await setsBelow(path, 0);
  if (sets.length > 0) return sets;
  throw new InputError("holds no .tar file", { where: path, remedy: "name a data set or one of its tars" });
}

async function setsBelow(path: string, depth: number): Promise<string[]> {
  if ((await kindOf(path)) !== "folder") return [path];
  const entries = (await readFolder(path)).filter((entry) => !entry.name.startsWith("."));
  const folders = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  const holdsTars = entries.some((entry) => !entry.isDirectory() && isTarName(entry.name));
  const sets = holdsTars ? [path] : [];
  if (depth === MAX_DEPTH) return sets;
  for (const name of folders.sort()) sets.push(...(await setsBelow(join(path, name), depth + 1)));
  return sets;
}

/**
 * The tars directly in a folder, by name; compressed ones among them, unless they stand beside what they hold.
 * @throws InputError when the folder cannot be listed.
 */
export async function tarsAndCompressedIn(folder: string): Promise<string[]> {
  const names = (await readFolder(folder))
    .filter((entry) => !entry.isDirectory() && !entry.name.startsWith("."))
    .map(({ name }) => name);
  return names
    .filter((name) => isTarName(name))
    .filter((name) => name.endsWith(".tar") || !names.includes(name.replace(COMPRESSED_TAR, ".tar")))
    .sort()
    .map((name) => join(folder, name));
}

async function tarsIn(folder: string): Promise<string[]> {
  const tars = await tarsAndCompressedIn(folder);
  const compressed = tars.find((path) => !path.endsWith(".tar"));
  if (compressed !== undefined) {
    throw new InputError("is compressed, and tars are read in place", {
      where: compressed,
      remedy: "unpack it to a .tar or move it away",
    });
  }
  if (tars.length > 0) return tars;
  const hasSplits = (await readFolder(folder)).some(({ name }) => name === "train");
  const splits = hasSplits ? `, for instance ${join(folder, "train")}` : "";
  throw new InputError("the folder holds no .tar file", {
    where: folder,
    remedy: `name one that does${splits}`,
  });
}

/** Compressed ones too: they are refused with a reason when their folder is read. */
function isTarName(name: string): boolean {
  return name.endsWith(".tar") || COMPRESSED_TAR.test(name);
}

/** Asked before anything is opened: opening a pipe waits for its other end. */
export async function kindOf(path: string): Promise<"file" | "folder" | "other"> {
  try {
    const found = await stat(path);
    return found.isFile() ? "file" : found.isDirectory() ? "folder" : "other";
  } catch (cause) {
    throw new InputError("there is no such file or folder", { where: path, cause });
  }
}

async function readFolder(path: string): Promise<Dirent[]> {
  try {
    return await readdir(path, { withFileTypes: true });
  } catch (cause) {
    throw new InputError("cannot be listed", { where: path, remedy: "check its permissions", cause });
  }
}
