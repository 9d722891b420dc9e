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

const small = { subjects: 4, sceneShare: 0.2, styles: ["noto", "twitter", "emojione"] } as const;

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
    expect(result.train.samples).toBe(4 * 3 + 3);
    expect(result.train.tars).toBe(1);
    expect(progress.at(-1)).toBe(result.train.samples + result.heldOut.samples);
    expect((await readdir(out)).sort()).toEqual([
      "CREDITS.json",
      "NOTICE",
      "stats.json",
      "subjects.json",
      "train",
    ]);

    await using data = await TarDataset.open(join(out, "train"));
    expect(data.length).toBe(15);
    for (let index = 0; index < data.length; index++) {
      const sample = await data.sampleAt(index);
      expect(sample.key).toMatch(/^[0-9a-f]{32}$/);
      expect(sample.images.map((image) => [image.width, image.height])).toEqual([[128, 128]]);
      const { style, licence, source } = sample.metadata;
      expect(
        sample.captions.every(({ text }) => style === "noto" || text.endsWith(`, ${String(style)} style`)),
      ).toBe(true);
      expect(licence).toBe(style === "noto" ? "Apache-2.0" : "CC-BY-4.0");
      expect(source).toMatch(/^@iconify-json\/[\w-]+@1\.2\.\d+$/);
    }
    const subjects: unknown = JSON.parse(await readFile(join(out, "subjects.json"), "utf8"));
    expect(subjects).toMatchObject([
      { id: "red-apple", name: "red apple", styles: ["noto", "twitter", "emojione"] },
      {},
      {},
      {},
    ]);
    expect(await readFile(join(out, "NOTICE"), "utf8")).toContain("CC BY 4.0");

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
    await expect(buildEmojiData({ ...small, out, styles: ["twitter"] })).rejects.toThrow(/noto/);
  });
});
