/** @file Whether a disk has room for what is going to be written, found out before it is. */
import { statfs } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { InputError } from "../errors.ts";
import { gigabytes } from "../formats/gigabytes.ts";
import { hasCode } from "./write-failure.ts";

/** Left free by what fills a disk with what it fetches: a system without any space at all misbehaves. */
export const RESERVE_BYTES = 64 * 1024 * 1024;

/** Bytes that this user may still write in a folder that need not exist yet; undefined where the system does not say. */
export async function freeBytes(folder: string): Promise<number | undefined> {
  for (let at = resolve(folder); ; at = dirname(at)) {
    try {
      const { bavail, bsize } = await statfs(at);
      return bavail * bsize;
    } catch (error) {
      if (!hasCode(error, "ENOENT", "ENOTDIR") || at === dirname(at)) return undefined;
    }
  }
}

/** @throws InputError with both numbers when `bytes` do not fit where `folder` is, or is to be. */
export async function refuseFullDisk(folder: string, bytes: number): Promise<void> {
  const free = await freeBytes(folder);
  if (free === undefined || bytes <= free) return;
  throw new InputError(`needs ${gigabytes(bytes)} more on a disk that has ${gigabytes(free)} left`, {
    where: folder,
    remedy: "free some space or name a place on another disk",
  });
}
