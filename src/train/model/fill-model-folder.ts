/** @file Models that training writes into folders which others make, name and remove. */
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { type ModelFolderToWrite, writeModelFolder } from "../../node/write-model-folder.ts";

/** Puts a model beside what a folder holds already; whoever gave it renames it when it is whole. */
export async function fillModelFolder(folder: string, content: ModelFolderToWrite): Promise<void> {
  const written = join(folder, ".model");
  await writeModelFolder(written, content);
  for (const name of await readdir(written)) await rename(join(written, name), join(folder, name));
  await rm(written, { recursive: true });
}

/** Writes a model for as long as `use` takes, which draws with it. */
export async function withSampleModel<Result>(
  output: string,
  write: (folder: string) => Promise<void>,
  use: (folder: string) => Promise<Result>,
): Promise<Result> {
  const folder = join(output, "samples", ".model");
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  try {
    await write(folder);
    return await use(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
