/** @file How much can be written. */
import { statfs } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { hasCode } from "./write-failure.ts";

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
