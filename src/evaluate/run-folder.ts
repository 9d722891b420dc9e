/** @file A folder that holds the pictures of one run alone, so that a run that was stopped goes on there. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError, DataFormatError } from "../errors.ts";
import { decodeImage } from "../files/decode-image.ts";
import { makeFolder } from "../files/make-folder.ts";
import { replaceText } from "../files/replacement-file.ts";
import { hasCode, writeFailure } from "../files/write-failure.ts";
import type { RgbImage } from "../image/pixels.ts";

/** What the pictures of a run depend on beside their own names. */
export type RunIdentity = Readonly<Record<string, unknown>>;

/** @throws InputError naming a folder that cannot be made. */
export async function makeRunFolder(folder: string): Promise<void> {
  await makeFolder(folder).catch((error: unknown) => {
    throw writeFailure(error, folder);
  });
}

export interface SettledRun {
  /** Name of the file that says whose the pictures are. */
  readonly file: string;
  readonly identity: RunIdentity;
  /** What is said of a folder of another run, and what to do then. */
  readonly refusal: string;
  readonly remedy: string;
}

/**
 * Writes down whose the pictures of a folder are, or compares it with what stands there.
 * @throws ConfigError for a folder of another run.
 */
export async function settleRun(
  folder: string,
  { file, identity, refusal, remedy }: SettledRun,
): Promise<void> {
  const path = join(folder, file);
  const text = `${JSON.stringify(identity, null, 2)}\n`;
  const known = await readTextIfThere(path);
  if (known === undefined) await replaceText(path, text);
  else if (known !== text) throw new ConfigError(refusal, { where: folder, remedy });
}

/** The picture in a file, or undefined; a damaged file counts as none. */
export async function readWholePicture(path: string): Promise<RgbImage | undefined> {
  const bytes = await readIfThere(path);
  if (bytes === undefined) return undefined;
  try {
    return await decodeImage(bytes, path);
  } catch (error) {
    if (error instanceof DataFormatError) return undefined;
    throw error;
  }
}

export async function readTextIfThere(path: string): Promise<string | undefined> {
  return (await readIfThere(path))?.toString("utf8");
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}
