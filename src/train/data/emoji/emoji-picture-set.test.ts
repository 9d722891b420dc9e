/** @file Pictures by code point, and packages that are none. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DataFormatError } from "../../../errors.ts";
import type { EmojiNaming } from "./emoji-naming.ts";
import { loadPictureSet } from "./emoji-picture-set.ts";

const naming: EmojiNaming = {
  categories: {},
  codesOf: (slug) => (slug === "heart" ? ["2764"] : []),
  otherSlugs: () => [],
  keywords: () => [],
};

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "picture-set-"));
});
afterAll(() => rm(folder, { recursive: true }));

async function packageOf(name: string, licence: string, files: readonly string[]) {
  const path = join(folder, name);
  await mkdir(join(path, "assets"), { recursive: true });
  const manifest = { name, version: "1.0.0", license: licence };
  await writeFile(join(path, "package.json"), JSON.stringify(manifest));
  for (const file of files) await writeFile(join(path, "assets", file), "");
  return (file: string) => join(path, file);
}

describe("loadPictureSet", () => {
  it("finds a picture by its sign's code, with or without a variation selector in the file's name", async () => {
    const path = await packageOf("full", "MIT", ["2764-fe0f.webp", "readme.txt"]);
    const set = await loadPictureSet("3D", path, naming);
    expect(set.icon("heart")).toEqual({
      kind: "picture",
      slug: "heart",
      path: path("assets/2764-fe0f.webp"),
    });
    expect(set.icon("star")).toBeUndefined();
    expect(set.credit).toMatchObject({ package: "full", version: "1.0.0", licence: "MIT" });
  });

  it("refuses a package without pictures, and other licences", async () => {
    const empty = await packageOf("empty", "MIT", []);
    await expect(loadPictureSet("3D", empty, naming)).rejects.toThrow(DataFormatError);
    const closed = await packageOf("closed", "CC-BY-SA-4.0", ["2764.webp"]);
    await expect(loadPictureSet("3D", closed, naming)).rejects.toThrow(/CC-BY-SA-4.0/);
  });
});
