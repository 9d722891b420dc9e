/** @file Names picture files after prompt and seed. */
import { access } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import { InputError } from "../errors.ts";

/** Longest prompt part of a file name: leaves room for the seed under every common file system's 255 bytes. */
const MAX_STEM = 80;

/** `A red apple!` -> `a-red-apple`; letters and digits of any script stay. */
export function promptSlug(prompt: string): string {
  const words =
    prompt
      .normalize("NFC")
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu) ?? [];
  let slug = "";
  for (const word of words) {
    const next = slug === "" ? word : `${slug}-${word}`;
    if (next.length > MAX_STEM) break;
    slug = next;
  }
  return slug === "" ? "picture" : slug;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** `dir/name.png`, or `dir/name-2.png` and so on while the name is taken: finished pictures are never overwritten. */
export async function freeName(directory: string, stem: string): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    const path = join(directory, attempt === 1 ? `${stem}.png` : `${stem}-${attempt}.png`);
    if (!(await exists(path))) return path;
  }
}

/** Where `--out` sends pictures. */
export type Target =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "folder"; readonly path: string };

/**
 * `--out picture.png` names the file of a single picture, anything else a folder.
 * @throws InputError for a picture name of another type, or a single name for several pictures.
 */
export function parseTarget(out: string | undefined, pictures: number): Target {
  if (out === undefined) return { kind: "folder", path: "." };
  const extension = extname(out).toLowerCase();
  if (extension !== ".png") {
    if ([".jpg", ".jpeg", ".webp", ".gif", ".avif"].includes(extension)) {
      throw new InputError(`"${basename(out)}" is not a PNG name`, {
        where: "--out",
        remedy: "pictures are written as .png",
      });
    }
    return { kind: "folder", path: out };
  }
  if (pictures > 1) {
    throw new InputError(`one file for ${pictures} pictures`, {
      where: "--out",
      remedy: "name a folder instead",
    });
  }
  return { kind: "file", path: out };
}
