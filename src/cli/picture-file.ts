/** @file Names picture files after prompt and seed, and finds out before drawing whether they can be written. */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { InputError } from "../errors.ts";
import { ReplacementFile } from "../files/replacement-file.ts";

/** Longest prompt part of a file name in UTF-8: leaves room for seed and number on every common file system. */
const MAX_STEM_BYTES = 80;

/** `A red apple!` -> `a-red-apple`; letters and digits of any script stay, tags of pictures do not. Ends at a whole word, if there is one. */
export function promptSlug(prompt: string): string {
  const words =
    prompt
      .replaceAll("<image>", " ")
      .normalize("NFC")
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu) ?? [];
  let slug = "";
  for (const word of words) {
    const next = slug === "" ? cutToBytes(word, MAX_STEM_BYTES) : `${slug}-${word}`;
    if (Buffer.byteLength(next) > MAX_STEM_BYTES) break;
    slug = next;
  }
  return slug === "" ? "picture" : slug;
}

/** The first whole characters that take no more than `limit` bytes of UTF-8. */
function cutToBytes(text: string, limit: number): string {
  let cut = "";
  let bytes = 0;
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > limit) break;
    cut += character;
  }
  return cut;
}

/** `dir/name.png`, `dir/name-2.png` and so on. */
function* pictureNames(directory: string, stem: string): Generator<string> {
  yield join(directory, `${stem}.png`);
  for (let number = 2; ; number++) yield join(directory, `${stem}-${number}.png`);
}

/**
 * Writes a picture: to the file that was named, in place of one that is there, or under the first free name in the
 * folder, so that nothing finished is overwritten, not even by another process at the same time.
 * @returns its path
 * @throws InputError naming the file that cannot be written.
 */
export async function writePicture(target: PlaceOnDisk, stem: string, png: Uint8Array): Promise<string> {
  const names = pictureNames(target.path, stem);
  const path = target.kind === "file" ? target.path : join(target.path, `${stem}.png`);
  const file = await ReplacementFile.create(path);
  try {
    await file.write(png);
  } catch (error) {
    await file.discard();
    throw error;
  }
  if (target.kind === "folder") return file.commitAsFirstFree(names);
  await file.commit();
  return path;
}

/** The file of exactly these bytes among the names that {@link writePicture} gives, up to the first free one. */
export async function findPicture(
  target: PlaceOnDisk,
  stem: string,
  png: Uint8Array,
): Promise<string | undefined> {
  if (target.kind === "file") return undefined;
  for (const name of pictureNames(target.path, stem)) {
    const found = await stat(name).catch(() => undefined);
    if (found === undefined) return undefined;
    if (found.isFile() && found.size === png.length && (await readFile(name)).equals(png)) return name;
  }
  return undefined;
}

/**
 * Makes the folder of a file that is to be written later, and tries that it can be written to.
 * @throws InputError naming the file.
 */
export async function checkWritable(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found !== undefined && !found.isFile()) {
    throw new InputError("cannot be written: is not a regular file", {
      where: path,
      remedy: "choose another name",
    });
  }
  await tryToCreate(path);
}

/** {@link checkWritable} of what a target will hold. */
export async function checkTarget(target: Target): Promise<void> {
  if (target.kind === "file") await checkWritable(target.path);
  if (target.kind === "folder") await tryToCreate(join(target.path, "picture.png"));
}

async function tryToCreate(path: string): Promise<void> {
  const file = await ReplacementFile.create(path);
  await file.discard();
}

/** Where `--out` sends pictures. */
export type Target =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "folder"; readonly path: string }
  | { readonly kind: "stdout" };

export type PlaceOnDisk = Exclude<Target, { readonly kind: "stdout" }>;
