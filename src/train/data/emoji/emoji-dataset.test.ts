/** @file A few real subjects, drawn, packed and read back. */
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AbortedError, ConfigError } from "../../../errors.ts";
import { TarDataset } from "../dataset-reader.ts";
import { buildEmojiData } from "./emoji-dataset.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "emoji-data-"));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

const small = { subjects: 4, avatars: 2 } as const;

async function digests(path: string): Promise<string[]> {
  const names = (await readdir(path, { recursive: true, withFileTypes: true })).filter((entry) =>
    entry.isFile(),
  );
  const files = names.map((entry) => join(entry.parentPath, entry.name)).sort();
  return Promise.all(
    files.map(
      async (file) =>
        `${file.slice(path.length)} ${createHash("sha256")
          .update(await readFile(file))
          .digest("hex")}`,
    ),
  );
}

describe("buildEmojiData", () => {
  it("writes tars that read back as pictures with captions and credits, the same ones every time", async () => {
    const progress: number[] = [];
    const out = join(folder, "first");
    const result = await buildEmojiData({ ...small, out, onProgress: ({ done }) => progress.push(done) });
    // Eight singles less the held-out flat ones, and three times as many scenes.
    const { singles, styles, scenes } = result.folders;
    expect([singles?.samples, (styles?.samples ?? 0) + 4, scenes?.samples]).toEqual([4, 8, 24]);
    expect(progress.at(-1)).toBeGreaterThanOrEqual(40);
    expect((await readdir(out)).sort()).toEqual([
      "CREDITS.json",
      "NOTICE",
      "avatars",
      "avatars-heldout",
      "edits",
      "heldout",
      "scenes",
      "shapes",
      "singles",
      "stats.json",
      "styles",
      "subjects.json",
      "texts",
    ]);

    await using data = await TarDataset.open(["singles", "styles", "scenes"].map((name) => join(out, name)));
    for (let index = 0; index < data.length; index++) {
      const sample = await data.sampleAt(index);
      expect(sample.key).toMatch(/^[0-9a-f]{32}$/);
      expect(sample.images.map((image) => [image.width, image.height])).toEqual([[256, 256]]);
      const { style, licence, source } = sample.metadata;
      expect(
        sample.captions.every(({ text }) => style === "3D" || text.endsWith(`, ${String(style)} style`)),
      ).toBe(true);
      expect(licence).toBe("MIT");
      expect(source).toMatch(/^@(iconify-json|lobehub)\/[\w-]+@1\.\d+\.\d+$/);
    }
    await using edits = await TarDataset.open(join(out, "edits"));
    const edit = await edits.sampleAt(0);
    expect(edit.images).toHaveLength(2);
    expect(edit.captions.every(({ text }) => /^<image_0>[^<]+<image_1>$/.test(text))).toBe(true);
    await using texts = await TarDataset.open(join(out, "texts"));
    expect((await texts.sampleAt(0)).images).toEqual([]);
    const subjects: unknown = JSON.parse(await readFile(join(out, "subjects.json"), "utf8"));
    expect(subjects).toMatchObject({
      subjects: ["red apple", "dog", "cat", "car"],
      details: [{ id: "red-apple", name: "red apple", styles: ["3D", "flat"] }, {}, {}, {}],
    });
    const notice = await readFile(join(out, "NOTICE"), "utf8");
    for (const owner of ["Microsoft", "LobeHub", "Pablo Stanley"]) expect(notice).toContain(owner);

    const again = join(folder, "again");
    await buildEmojiData({ ...small, out: again });
    expect(await digests(again)).toEqual(await digests(out));
  });

  it("leaves nothing behind when cancelled, and clears what a killed run left", async () => {
    const parent = join(folder, "cancel");
    // No system gives out this process number.
    await mkdir(join(parent, ".out.partial-4194999"), { recursive: true });
    const controller = new AbortController();
    const running = buildEmojiData({
      ...small,
      out: join(parent, "out"),
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(running).rejects.toThrow(AbortedError);
    expect(await readdir(parent)).toEqual([]);
  });

  it("refuses a folder with something in it, and styles without the default one", async () => {
    await mkdir(join(folder, "full"));
    await writeFile(join(folder, "full", "mine.txt"), "keep");
    await expect(buildEmojiData({ ...small, out: join(folder, "full") })).rejects.toThrow(ConfigError);
    expect(await readdir(join(folder, "full"))).toEqual(["mine.txt"]);
    const out = join(folder, "other");
    await expect(buildEmojiData({ ...small, out, styles: ["twitter"] })).rejects.toThrow(/3D/);
  });
});
