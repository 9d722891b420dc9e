/** @file A folder that appears whole, or not at all: written beside its place, renamed into it. */
import { mkdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { syncFolder } from "../../files/sync-folder.ts";
import { hasCode, writeFailure } from "../../files/write-failure.ts";

/**
 * Writes the folder `target` through `fill`, which is given `target.partial`. If that fails, nothing of it stays, and
 * what stood at `target` does.
 * @throws InputError naming `target` when the system takes no more, and what `fill` throws.
 */
export async function writeFolder(target: string, fill: (folder: string) => Promise<void>): Promise<void> {
  const partial = `${target}.partial`;
  try {
    await rm(partial, { recursive: true, force: true });
    await mkdir(partial, { recursive: true });
    await fill(partial);
    await replaceFolder(partial, target);
  } catch (cause) {
    await rm(partial, { recursive: true, force: true });
    throw writeFailure(cause, target);
  }
}

/** Moves a folder to `target`. What is there stays, as `target.replaced`, until the new one is in its place. */
export async function replaceFolder(source: string, target: string): Promise<void> {
  const replaced = `${target}.replaced`;
  await rm(replaced, { recursive: true, force: true });
  await rename(target, replaced).catch((error: unknown) => {
    if (!hasCode(error, "ENOENT")) throw error;
  });
  await rename(source, target);
  await syncFolder(join(target, ".."));
  await rm(replaced, { recursive: true, force: true });
}
