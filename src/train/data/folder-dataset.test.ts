/** @file Folders of pictures to tars and back, with everything that can be wrong in them; statistics of the result. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AbortedError, DataFormatError, InputError } from "../../errors.ts";
import { dataStats, formatDataStats } from "./data-stats.ts";
import { TarDataset } from "./dataset-reader.ts";
import { buildFolderData } from "./folder-dataset.ts";

let root: string;
let folder: string;
let out: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "folder-data-"));
  folder = join(root, "pictures");
  out = join(root, "out");
  await mkdir(folder);
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

const picture = (width: number, height: number) =>
  sharp({ create: { width, height, channels: 3, background: "#3070c0" } });
const put = (name: string, contents: string | Uint8Array): Promise<void> =>
  writeFile(join(folder, name), contents);

describe("buildFolderData", () => {
  it("takes captions from .txt, .json and lists, keeps bytes, and names what it leaves out", async () => {
    const jpeg = await picture(40, 30).jpeg().toBuffer();
    await put("a.jpg", jpeg);
    await put("a.txt", "a blue wall\n");
    await put("b.png", await picture(32, 32).png().toBuffer());
    await put("b.json", JSON.stringify({ caption_all: ["one", "two"], metadata: { licence: "CC0-1.0" } }));
    await mkdir(join(folder, "sub"));
    await put("sub/c.gif", await picture(16, 48).gif().toBuffer());
    await put("captions.jsonl", `{"file_name": "sub/c.gif", "text": "a tall one"}\n\n`);
    await put("damaged.png", (await picture(64, 64).png().toBuffer()).subarray(0, 60));
    await put("damaged.txt", "lost");
    await put("unnamed.png", await picture(8, 8).png().toBuffer());
    await put("strange.png", await picture(8, 8).png().toBuffer());
    await put("strange.json", "{");

    const result = await buildFolderData({ folder, out });
    expect(result).toMatchObject({ folder: out, samples: 3, tars: 1 });
    expect(result.skipped.map((skipped) => skipped.name)).toEqual([
      "damaged.png",
      "strange.png",
      "unnamed.png",
    ]);
    expect(result.skipped.map((skipped) => skipped.reason)).toEqual([
      expect.stringContaining("decoded"),
      expect.stringContaining("JSON"),
      expect.stringContaining("no caption"),
    ]);

    await using data = await TarDataset.open(out);
    const samples = await Promise.all([0, 1, 2].map((index) => data.sampleAt(index)));
    expect(samples.map((sample) => sample.captions.map((caption) => caption.text))).toEqual([
      ["a blue wall"],
      ["one", "two"],
      ["a tall one"],
    ]);
    expect(samples.map((sample) => sample.metadata.source)).toEqual(["a.jpg", "b.png", "sub/c.gif"]);
    expect(Buffer.from((await data.encodedImagesAt(0))[0]!).equals(jpeg)).toBe(true);
    expect(samples[2]?.images.map((image) => [image.width, image.height])).toEqual([[16, 48]]);

    const stats = await dataStats(out, { countTokens: (text) => text.split(" ").length });
    expect(stats).toMatchObject([
      {
        samples: 3,
        images: 3,
        sizes: { "16x48": 1, "32x32": 1, "40x30": 1 },
        buckets: { "256x256": 1 },
        samplesWithoutCaption: 0,
        captions: 4,
        captionCharacters: { min: 3, max: 11, mean: 6.75, p95: 11 },
        captionTokens: { min: 1, max: 3, mean: 2 },
        licences: { "not stated": 2, "CC0-1.0": 1 },
      },
    ]);
    expect(formatDataStats(stats)).toContain("3 samples in 1 tar, 3 pictures");
  });

  it("refuses a damaged list with its line, and a folder without a usable picture", async () => {
    await put("a.png", await picture(8, 8).png().toBuffer());
    await expect(buildFolderData({ folder, out })).rejects.toThrow(InputError);
    await put("metadata.jsonl", `{"file_name": "a.png", "text": "fine"}\n{"text": "whose?"}\n`);
    await expect(buildFolderData({ folder, out })).rejects.toThrow(/line 2: names no picture/);
    await put(
      "metadata.jsonl",
      `{"file_name": "a.png", "text": "one"}\n{"file_name": "a.png", "text": "two"}\n`,
    );
    await expect(buildFolderData({ folder, out })).rejects.toThrow(DataFormatError);
    await expect(buildFolderData({ folder: join(root, "none"), out })).rejects.toThrow(InputError);
    expect(await readdir(root)).toEqual(["pictures"]);
  });

  it("leaves nothing behind when cancelled", async () => {
    for (const name of ["a", "b"]) {
      await put(`${name}.png`, await picture(8, 8).png().toBuffer());
      await put(`${name}.txt`, name);
    }
    const controller = new AbortController();
    const running = buildFolderData({
      folder,
      out,
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(running).rejects.toThrow(AbortedError);
    expect(await readdir(root)).toEqual(["pictures"]);
  });
});
