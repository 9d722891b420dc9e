/** @file The SHA-256 of a cache file in a file beside it: what is damaged, or was not written to its end, is not read. */
import { readFile } from "node:fs/promises";
import { digestFile } from "../../files/file-digest.ts";
import { replaceFile } from "../../files/replacement-file.ts";

function digestPath(path: string): string {
  return `${path}.sha256`;
}

/** Whether a file is there and as it was when its digest was written. */
export async function hasItsDigest(path: string): Promise<boolean> {
  const digest = await readFile(digestPath(path), "utf8").catch(() => undefined);
  return digest !== undefined && digest === (await digestFile(path).catch(() => undefined));
}

export async function writeDigest(path: string): Promise<void> {
  const digest = new TextEncoder().encode(await digestFile(path));
  await replaceFile(digestPath(path), (file) => file.write(digest));
}
