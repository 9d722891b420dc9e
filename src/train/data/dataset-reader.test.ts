/** @file Reading samples of tars at random. */
import { mkdtemp, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DataFormatError, InputError } from "../../errors.ts";
import { TarFile } from "../../files/tar-file.ts";
import { TarDataset } from "./dataset-reader.ts";
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
