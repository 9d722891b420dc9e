import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { InputError } from "../errors.ts";
import { checkTarget, promptSlug, writePicture } from "./picture-file.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "nextstep-"));
});
afterEach(() => rm(folder, { recursive: true }));

describe("promptSlug", () => {
  it("keeps letters and digits of any script", () => {
    expect(promptSlug("A red Apple, please!")).toBe("a-red-apple-please");
    expect(promptSlug("ein Häuschen / 小さな家")).toBe("ein-häuschen-小さな家");
    expect(promptSlug("../../etc/passwd")).toBe("etc-passwd");
    expect(promptSlug("<image>make it blue")).toBe("make-it-blue");
    expect(promptSlug("!!!")).toBe("picture");
  });

  it("ends at a whole word before the limit", () => {
    const slug = promptSlug("apple ".repeat(100));
    expect(slug.length).toBeLessThanOrEqual(80);
    expect(slug.endsWith("apple")).toBe(true);
  });
});

describe("writePicture", () => {
  it("counts up rather than overwriting, among writers at the same time too", async () => {
    const target = { kind: "folder", path: folder } as const;
    const bytes = [1, 2, 3, 4].map((value) => Uint8Array.of(value));
    const paths = await Promise.all(bytes.map((png) => writePicture(target, "dog-1", png)));
    expect([...paths].sort()).toEqual(
      ["dog-1-2.png", "dog-1-3.png", "dog-1-4.png", "dog-1.png"].map((name) => join(folder, name)),
    );
    expect(await Promise.all(paths.map(async (path) => (await readFile(path))[0]))).toEqual([1, 2, 3, 4]);
    expect(await readdir(folder)).toHaveLength(4);
  });

  it("replaces a file that is named", async () => {
    const target = { kind: "file", path: join(folder, "dog.png") } as const;
    await writePicture(target, "", Uint8Array.of(1));
    expect(await writePicture(target, "", Uint8Array.of(2))).toBe(target.path);
    expect([...(await readFile(target.path))]).toEqual([2]);
  });

  it("takes any prompt for a name", async () => {
    const target = { kind: "folder", path: folder } as const;
    for (const prompt of ["字".repeat(79), "😀é".repeat(300), "字 ".repeat(79)]) {
      const path = await writePicture(
        target,
        `${promptSlug(prompt)}-${Number.MAX_SAFE_INTEGER}`,
        new Uint8Array(),
      );
      expect(Buffer.byteLength(path) - Buffer.byteLength(folder)).toBeLessThan(140);
    }
  });
});

describe("checkTarget", () => {
  it("says before anything is drawn that nothing can be written", async () => {
    await writeFile(join(folder, "file"), "");
    await mkdir(join(folder, "folder.png"));
    const file = join(folder, "file");
    await expect(checkTarget({ kind: "folder", path: file })).rejects.toThrow(/file.*cannot be written/);
    await expect(checkTarget({ kind: "file", path: join(file, "a.png") })).rejects.toThrow(InputError);
    await expect(checkTarget({ kind: "file", path: join(folder, "folder.png") })).rejects.toThrow(InputError);
    await checkTarget({ kind: "file", path: join(folder, "new", "a.png") });
    expect((await readdir(folder)).sort()).toEqual(["file", "folder.png", "new"]);
  });
});
