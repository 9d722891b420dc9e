/** @file Reading samples of tars at random. */
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DataFormatError, InputError } from "../../errors.ts";
import { TarFile } from "../../files/tar-file.ts";
import { TarDataset } from "./dataset-reader.ts";
import { SampleError } from "./sample-error.ts";
import { SampleWriter } from "./sample-writer.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "dataset-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const grey = async (level: number): Promise<Uint8Array> =>
  sharp({ create: { width: 4, height: 4, channels: 3, background: { r: level, g: level, b: level } } })
    .png()
    .toBuffer();

async function writeSamples(count: number, perTar: number): Promise<void> {
  await using writer = new SampleWriter(folder, perTar);
  for (let index = 0; index < count; index++) {
    await writer.add(`key${index}`, { caption: `sample ${index}` }, [
      { bytes: await grey(index), extension: "png" },
    ]);
  }
  await writer.close();
}

describe("TarDataset", () => {
  it("finds every sample of every tar", async () => {
    await writeSamples(7, 3);
    await using data = await TarDataset.open(folder);
    expect(data.tarLengths).toEqual([3, 3, 1]);
    for (const index of [6, 0, 3, 2]) {
      const sample = await data.sampleAt(index);
      expect(sample.key).toBe(`key${index}`);
      expect(sample.captions).toEqual([{ text: `sample ${index}`, weight: 1 }]);
      expect(sample.images[0]?.data[0]).toBe(index);
    }
    await using one = await TarDataset.open([join(folder, "idx_0000_0001.tar")]);
    expect((await one.textAt(0)).key).toBe("key3");
    await expect(data.sampleAt(7)).rejects.toThrow(InputError);
  });

  it("keeps decoded pictures within its bytes", async () => {
    await writeSamples(3, 10);
    await using kept = await TarDataset.open(folder);
    expect(await kept.imagesAt(1)).toBe(await kept.imagesAt(1));
    await using small = await TarDataset.open(folder, { cacheBytes: 47 });
    expect(await small.imagesAt(1)).not.toBe(await small.imagesAt(1));
  });

  it("reads the plain layout and texts without pictures", async () => {
    const tar = await TarFile.create(join(folder, "plain.tar"));
    await tar.add("a.png", await grey(9));
    await tar.add("a.txt", " a grey square\n");
    await tar.add("b.json", JSON.stringify({ text: "words only" }));
    await tar.close();
    await using data = await TarDataset.open(folder);
    expect(data.length).toBe(2);
    expect((await data.textAt(0)).captions[0]?.text).toBe("a grey square");
    expect((await data.sampleAt(1)).images).toEqual([]);
    expect((await data.textAt(1)).captions[0]?.text).toBe("words only");
  });

  it("reads img2dataset's layout: a .json of metadata beside a .txt caption, whatever its encoding", async () => {
    const tar = await TarFile.create(join(folder, "set.tar"));
    await tar.add("000.jpg", await grey(9));
    await tar.add("000.json", '\uFEFF{"caption": null, "licence": "CC0-1.0", "width": 4}');
    await tar.add("000.txt", Buffer.from("\uFEFFeine Wüste", "utf16le"));
    await tar.add("001.jfif", await grey(9));
    await tar.add("001.json", '{"caption": "own", "metadata": {"width": 4}}');
    await tar.add("001.txt", "another");
    await tar.close();
    await using data = await TarDataset.open(folder);
    const [first, second] = [await data.sampleAt(0), await data.sampleAt(1)];
    expect(first.captions).toEqual([{ text: "eine Wüste", weight: 1 }]);
    expect(first.description.caption).toBe("eine Wüste");
    expect(first.metadata.licence).toBe("CC0-1.0");
    expect(second.captions).toEqual([{ text: "own", weight: 1 }]);
    expect(second.metadata).toEqual({ width: 4 });
    expect(second.images).toHaveLength(1);
  });

  it("throws faults of a sample as such, with tar and key, and faults of a tar as others", async () => {
    const path = join(folder, "bad.tar");
    const tar = await TarFile.create(path);
    await tar.add("a.json", '{"caption": 3}');
    await tar.add("a-0.png", (await grey(1)).subarray(0, 50));
    await tar.add("b.txt", Buffer.from("Wüste", "latin1"));
    for (let image = 0; image <= 256; image++) await tar.add(`c.${image}.png`, "");
    await tar.close();
    await using data = await TarDataset.open(folder);
    const faults = [data.textAt(0), data.imagesAt(0), data.textAt(1), data.imagesAt(2)];
    const caught = await Promise.all(faults.map((fault) => fault.catch((error: unknown) => error)));
    expect(caught.every((error) => error instanceof SampleError)).toBe(true);
    expect(caught.map((error) => (error instanceof SampleError ? error.place : undefined))).toEqual(
      ["a", "a", "b", "c"].map((key) => ({ tar: path, key })),
    );
    expect(caught.map(String)).toEqual([
      expect.stringMatching(/bad\.tar: a: caption: .*expected string/),
      expect.stringMatching(/bad\.tar: a: a-0\.png: cannot be decoded/),
      expect.stringMatching(/bad\.tar: b: b\.txt: is not UTF-8 text/),
      expect.stringMatching(/bad\.tar: c: has 257 pictures/),
    ]);
    await truncate(path, 600);
    const gone = await data.textAt(1).catch((error: unknown) => error);
    expect(gone).toBeInstanceOf(InputError);
    expect(String(gone)).toMatch(/bad\.tar: can no longer be read/);
  });

  it("refuses what would be missed or would hang", async () => {
    const tar = await TarFile.create(join(folder, "a.tar"));
    await tar.add("a.txt", "x");
    await tar.close();
    await writeFile(join(folder, "a.tar.gz"), gzipSync("x"));
    await (await TarDataset.open(folder))[Symbol.asyncDispose]();
    await writeFile(join(folder, "b.tgz"), gzipSync("x"));
    await expect(TarDataset.open(folder)).rejects.toThrow(/b\.tgz: is compressed/);
    await expect(TarDataset.open(join(folder, "b.tgz"))).rejects.toThrow(/gzip.*gunzip/);
    await rm(join(folder, "b.tgz"));
    execFileSync("mkfifo", [join(folder, "c.tar")]);
    await expect(TarDataset.open(folder)).rejects.toThrow(/c\.tar: is not a regular file/);
    await expect(TarDataset.open("/dev/zero")).rejects.toThrow(InputError);
  });

  it("names what is damaged or missing", async () => {
    await expect(TarDataset.open(folder)).rejects.toThrow(InputError);
    await expect(TarDataset.open(join(folder, "none"))).rejects.toThrow(InputError);
    const tar = await TarFile.create(join(folder, "bad.tar"));
    await tar.add("a.json", "{");
    await tar.add("a-0.png", "no picture");
    await tar.close();
    await using data = await TarDataset.open(folder);
    await expect(data.textAt(0)).rejects.toThrow(/bad\.tar: a/);
    await expect(data.imagesAt(0)).rejects.toThrow(DataFormatError);
    // In the middle of the second header.
    await truncate(join(folder, "bad.tar"), 1300);
    await expect(TarDataset.open(join(folder, "bad.tar"))).rejects.toThrow(DataFormatError);
  });
});
