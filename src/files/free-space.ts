/** @file Whether a disk has room for what is going to be written, found out before it is. */
import { statfs } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { InputError } from "../errors.ts";

/** Bytes that a user may still write in `folder`, which need not exist; undefined where that cannot be told. */
async function freeSpace(folder: string): Promise<number | undefined> {
  for (let path = resolve(folder); ; path = dirname(path)) {
    try {
      const { bavail, bsize } = await statfs(path);
      return bavail * bsize;
    } catch {
      if (path === dirname(path)) return undefined;
    }
  }
}

/** @throws InputError with both numbers when `bytes` do not fit where `folder` is, or is to be. */
export async function refuseFullDisk(folder: string, bytes: number): Promise<void> {
  const free = await freeSpace(folder);
  if (free === undefined || bytes <= free) return;
  throw new InputError(`needs ${gigabytes(bytes)} more on a disk that has ${gigabytes(free)} left`, {
    where: folder,
    remedy: "free some space or name a place on another disk",
  });
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(bytes < 1e9 ? 3 : 1)} GB`;
}
