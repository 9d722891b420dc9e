/** @file Writes a model into a folder that is there already, and may hold other files. */
import { readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { type ModelFolderToWrite, writeModelFolder } from "../../node/write-model-folder.ts";

/** Whoever gave the folder renames it when it is whole. */
export async function fillModelFolder(folder: string, content: ModelFolderToWrite): Promise<void> {
  const written = join(folder, ".model");
  await writeModelFolder(written, content);
  for (const name of await readdir(written)) await rename(join(written, name), join(folder, name));
  await rm(written, { recursive: true });
}
