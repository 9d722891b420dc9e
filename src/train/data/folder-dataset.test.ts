/** @file Folders of pictures to tars and back, with everything that can be wrong in them; statistics of the result. */
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AbortedError, ConfigError, DataFormatError, InputError } from "../../errors.ts";
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
    expect(result.passedOver).toEqual([
      {
        name: "damaged.png",
        reason: "picture that cannot be read",
        detail: expect.stringMatching("decoded"),
      },
      { name: "strange.png", reason: "caption that cannot be read", detail: expect.stringMatching("JSON") },
      { name: "unnamed.png", reason: "no caption" },
    ]);
    expect(Object.values(result.reasons)).toEqual([1, 1, 1]);

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

  it("takes captions in several encodings and from CSV, .jfif as JPEG, and metadata beside a .txt", async () => {
    const names = ["a.jfif", "b.png", "c.png", "sub/d.png", "sub/ü.png"];
    await mkdir(join(folder, "sub"));
    for (const name of names) await put(name, await picture(8, 8).jpeg().toBuffer());
    await put("a.txt", "\uFEFFgrün");
    await put("b.txt", Buffer.from("\uFEFFgrün", "utf16le"));
    await put("c.json", '\uFEFF{"caption": null, "licence": "CC0-1.0", "caption_weights": [1]}');
    await put("c.TXT", "from the text");
    await put(
      "metadata.csv",
      '\uFEFFfile_name,text,score\r\n.\\sub\\d.png,"one, two",7\r\nsub/u\u0308.png,1984,\r\n',
    );
    const result = await buildFolderData({ folder, out });
    expect(result.passedOver).toEqual([]);
    await using data = await TarDataset.open(out);
    const samples = await Promise.all(names.map((_, index) => data.sampleAt(index)));
    expect(samples.map(({ captions }) => captions.map(({ text }) => text))).toEqual(
      ["grün", "grün", "from the text", "one, two", "1984"].map((text) => [text]),
    );
    expect(samples[2]?.metadata).toEqual({ licence: "CC0-1.0", source: "c.png" });
    expect(samples[3]?.metadata).toEqual({ score: 7, source: "sub/d.png" });
  });

  it("names all that it passes over, with the reason", async () => {
    const png = await picture(8, 8).png().toBuffer();
    for (const name of ["good", "latin", "utf16", "empty", "listed"]) await put(`${name}.png`, png);
    await put("good.txt", "fine");
    await put("latin.txt", Buffer.from("grün", "latin1"));
    await put("utf16.txt", Buffer.from("no mark", "utf16le"));
    await put("empty.txt", "\n");
    await put("bitmap.bmp", "BM");
    await put("bitmap.txt", "of a bitmap");
    await put("notes.md", "x");
    await put(".DS_Store", "x");
    await put(
      "metadata.jsonl",
      '{"file_name": "listed.png", "text": null}\n{"file_name": "../x.png", "text": "y"}',
    );
    await put("metadata.csv", "file_name,text\nlisted.png,x");
    await symlink(join(folder, "good.png"), join(folder, "link.png"));
    await symlink(folder, join(folder, "circle"));
    execFileSync("mkfifo", [join(folder, "pipe.png")]);
    const { samples, passedOver, reasons } = await buildFolderData({ folder, out });
    expect(samples).toBe(1);
    expect(
      Object.fromEntries(passedOver.map(({ name, reason, detail = "" }) => [name, `${reason}|${detail}`])),
    ).toEqual({
      ".DS_Store": "hidden file or folder|",
      "bitmap.bmp": "picture format that is not read|convert it to PNG or JPEG",
      "bitmap.txt": "caption without a picture|",
      circle: "symbolic link|",
      "empty.png": "empty caption|",
      "latin.png": "caption that cannot be read|is not UTF-8 text (save it as UTF-8)",
      "link.png": "symbolic link|",
      "listed.png": "empty caption|",
      "metadata.csv": "list beside another one|",
      "metadata.jsonl line 2": "line for a picture that is not there|../x.png",
      "notes.md": "neither picture nor caption|",
      "pipe.png": "not a regular file|",
      "utf16.png": "caption that cannot be read|holds NUL characters (save it as UTF-8)",
    });
    expect(reasons["symbolic link"]).toBe(2);
  });

  it.each(["edits.csv", "edits.jsonl", "folders"])("packs pairs for editing from %s", async (layout) => {
    const png = (colour: string) =>
      sharp({ create: { width: 8, height: 8, channels: 3, background: colour } })
        .png()
        .toBuffer();
    for (const name of ["source", "target", "instruction"]) await mkdir(join(folder, name));
    for (const name of ["a", "b", "c"]) await put(`source/${name}.png`, await png("#101010"));
    await put(
      "target/a.webp",
      await sharp(await png("#ff0000"))
        .webp({ lossless: true })
        .toBuffer(),
    );
    await put("target/b.png", await png("#00ff00"));
    const rows = [
      ["make it red", "source/a.png", "target/a.webp"],
      ["make it <image_9>", "source/b.png", "target/b.png"],
      ["lost", "source/c.png", "target/c.png"],
    ] as const;
    if (layout === "folders") {
      await put("instruction/a.txt", rows[0][0]);
      await put("instruction/b.txt", rows[1][0]);
    } else if (layout === "edits.csv") {
      await put(layout, `instruction,source,target\n${rows.map((row) => row.join(",")).join("\n")}`);
    } else {
      const lines = rows.map(([instruction, source, target]) =>
        JSON.stringify({ instruction, source, target }),
      );
      await put(layout, lines.join("\n"));
    }
    const { samples, passedOver } = await buildFolderData({ folder, out, type: "image_editing" });
    expect(samples).toBe(1);
    expect(passedOver.map(({ reason }) => reason).sort()).toEqual([
      "instruction with image tags",
      layout === "folders" ? "no part of a pair" : "line for a picture that is not there",
    ]);
    await using data = await TarDataset.open(out);
    const sample = await data.sampleAt(0);
    expect(sample.captions.map(({ text }) => text)).toEqual(["<image_0>make it red<image_1>"]);
    expect(sample.images.map((image) => [...image.data.subarray(0, 3)])).toEqual([
      [16, 16, 16],
      [255, 0, 0],
    ]);
    expect(sample.metadata).toMatchObject({ source: "source/a.png", target: "target/a.webp" });
  });

  it("packs texts without pictures from files and tables", async () => {
    await put("a.txt", Buffer.from("\uFEFFein Apfel\n", "utf16le"));
    await put("b.jsonl", '{"text": " kept as it is\\n", "caption_weights": [1], "lang": "en"}\n{"text": ""}');
    await put("c.csv", "id,text\n1,42");
    await put("d.png", "x");
    const { samples, passedOver } = await buildFolderData({ folder, out, type: "nlp" });
    expect(samples).toBe(3);
    expect(passedOver).toEqual([
      { name: "d.png", reason: "no text file" },
      { name: "b.jsonl line 2", reason: "empty text" },
    ]);
    await using data = await TarDataset.open(out);
    const texts = await Promise.all([0, 1, 2].map((index) => data.textAt(index)));
    expect(texts.map(({ description }) => description.text)).toEqual(["ein Apfel", " kept as it is\n", "42"]);
    expect(texts.map(({ metadata }) => metadata)).toEqual([
      { source: "a.txt" },
      { lang: "en", source: "b.jsonl line 1" },
      { id: 1, source: "c.csv line 2" },
    ]);
  });

  it("holds out a share by name, copies of a picture on one side", async () => {
    const copies = new Set<string>();
    for (let index = 0; index < 40; index++) {
      const colour = { r: index, g: 0, b: 0 };
      const raw = sharp({ create: { width: 4, height: 4, channels: 3, background: colour } });
      await put(`p${index}.png`, await raw.clone().png().toBuffer());
      await put(`p${index}.txt`, `number ${index}`);
      if (index % 4 !== 0) continue;
      copies.add(`q${index}.webp`);
      await put(`q${index}.webp`, await raw.clone().webp({ lossless: true }).toBuffer());
      await put(`q${index}.txt`, `copy ${index}`);
    }
    const namesIn = async (path: string): Promise<string[]> => {
      await using data = await TarDataset.open(path);
      const indices = Array.from({ length: data.length }, (_, index) => index);
      return Promise.all(indices.map(async (index) => String((await data.textAt(index)).metadata.source)));
    };
    const result = await buildFolderData({ folder, out, heldOut: 0.25 });
    const train = await namesIn(join(out, "train"));
    const heldOut = await namesIn(join(out, "heldout"));
    expect([result.samples, result.heldOut?.samples]).toEqual([train.length, heldOut.length]);
    expect(train.length + heldOut.length).toBe(50);
    expect(heldOut.length).toBeGreaterThan(5);
    expect(heldOut.length).toBeLessThan(25);
    for (const copy of copies) {
      const original = copy.replace("q", "p").replace("webp", "png");
      expect(heldOut.includes(copy)).toBe(heldOut.includes(original));
    }
    // Fewer samples do not move the others to another side.
    await rm(join(folder, "p1.txt"));
    await buildFolderData({ folder, out: `${out}-2`, heldOut: 0.25 });
    expect(await namesIn(join(`${out}-2`, "heldout"))).toEqual(heldOut.filter((name) => name !== "p1.png"));
    await expect(buildFolderData({ folder, out: `${out}-3`, heldOut: 1 })).rejects.toThrow(ConfigError);
  });

  it("refuses to hold out of samples that are all one", async () => {
    for (const name of ["a", "b"]) {
      await put(`${name}.png`, await picture(8, 8).png().toBuffer());
      await put(`${name}.txt`, name);
    }
    await expect(buildFolderData({ folder, out, heldOut: 0.5 })).rejects.toThrow(/none can be held out/);
    expect(await readdir(root)).toEqual(["pictures"]);
  });

  it("tells a file from a folder, and a folder of nothing usable by what it holds", async () => {
    await put("a.bmp", "BM");
    await expect(buildFolderData({ folder: join(folder, "a.bmp"), out })).rejects.toThrow(/is not a folder/);
    await expect(buildFolderData({ folder, out })).rejects.toThrow(
      /1 picture format that is not read.*a\.bmp/,
    );
    await expect(buildFolderData({ folder, out, type: "nlp" })).rejects.toThrow(InputError);
  });
});
