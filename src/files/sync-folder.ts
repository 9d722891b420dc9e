/** @file Makes what was written, and what changed in a folder, survive a power cut. */

import { fsync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { promisify } from "node:util";

const fsyncAsync = promisify(fsync);

/** Flushes a file to the disk. Loaders that stand in for the file system (Yarn PnP) may give handles without `sync`. */
export async function syncHandle(
  handle: Pick<FileHandle, "fd"> & Partial<Pick<FileHandle, "sync">>,
): Promise<void> {
  await (handle.sync === undefined ? fsyncAsync(handle.fd) : handle.sync());
}

/** Without it a power cut may undo a rename. Windows cannot open folders and needs no such call. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await syncHandle(handle);
  } finally {
    await handle.close();
  }
}
