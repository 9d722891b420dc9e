import { readdirSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { DataFormatError, InputError, ShapeError } from "../errors.ts";
import { encodePng } from "../image/encode-png.ts";
import type { RgbImage } from "../image/pixels.ts";
import { decodeImage, readImage } from "./decode-image.ts";
import { nodeZlib } from "./zlib.ts";

const cases = fileURLToPath(new URL("../../test/parity/cases/", import.meta.url));

function gradient(width: number, height: number): RgbImage {
  const data = Uint8Array.from({ length: 3 * width * height }, (_, at) => (at * 31) % 256);
  return { width, height, data };
}

const raw = (data: Uint8Array, width: number, height: number, channels: 1 | 2 | 3 | 4) =>
  sharp(data, { raw: { width, height, channels } });

describe("decodeImage", () => {
  it("is undone by encodePng", async () => {
    for (const [width, height] of [
      [1, 1],
      [7, 3],
      [64, 48],
    ] as const) {
      const image = gradient(width, height);
      expect(await decodeImage(await encodePng(image, nodeZlib), "test")).toEqual(image);
    }
  });

  it("lays transparent parts on white", async () => {
    const data = Uint8Array.of(10, 20, 30, 0, 10, 20, 30, 255, 10, 20, 30, 128, 200, 0, 255, 1);
    const image = await decodeImage(await raw(data, 4, 1, 4).png().toBuffer(), "test");
    // 128 / 255 of the colour, the rest white: 255 - (255 - 10) * 128 / 255 = 132.02, and so on.
    expect([...image.data]).toEqual([255, 255, 255, 10, 20, 30, 132, 137, 142, 255, 254, 255]);
  });

  it("spreads grey, grey with alpha, and palettes over three channels", async () => {
    const grey = await decodeImage(
      await raw(Uint8Array.of(0, 99, 255), 3, 1, 1)
        .toColourspace("b-w")
        .png()
        .toBuffer(),
      "test",
    );
    expect([...grey.data]).toEqual([0, 0, 0, 99, 99, 99, 255, 255, 255]);
    const veiled = await raw(Uint8Array.of(0, 0, 99, 255), 2, 1, 2)
      .toColourspace("b-w")
      .png()
      .toBuffer();
    expect([...(await decodeImage(veiled, "test")).data]).toEqual([255, 255, 255, 99, 99, 99]);
    const palette = await raw(Uint8Array.of(255, 0, 0, 0, 0, 255), 2, 1, 3)
      .png({ palette: true })
      .toBuffer();
    expect([...(await decodeImage(palette, "test")).data]).toEqual([255, 0, 0, 0, 0, 255]);
    const binary = await raw(Uint8Array.of(0, 255), 2, 1, 1).png({ palette: true, colours: 2 }).toBuffer();
    expect([...(await decodeImage(binary, "test")).data]).toEqual([0, 0, 0, 255, 255, 255]);
  });

  it("reads 16 bits as 8", async () => {
    const deep = await raw(Uint8Array.of(0, 99, 255), 3, 1, 1)
      .toColourspace("grey16")
      .png()
      .toBuffer();
    expect((await sharp(deep).metadata()).depth).toBe("ushort");
    expect([...(await decodeImage(deep, "test")).data]).toEqual([0, 0, 0, 99, 99, 99, 255, 255, 255]);
  });

  it("turns pictures upright", async () => {
    const side = raw(gradient(4, 2).data, 4, 2, 3);
    const turned = await side.withMetadata({ orientation: 6 }).png().toBuffer();
    const image = await decodeImage(turned, "test");
    expect([image.width, image.height]).toEqual([2, 4]);
    // Orientation 6 is shown turned to the right: the lower left pixel comes first.
    expect([...image.data.subarray(0, 3)]).toEqual([...gradient(4, 2).data.subarray(12, 15)]);
  });

  it("ignores colour profiles", async () => {
    const colours = Uint8Array.of(250, 10, 20, 30, 200, 40);
    const tagged = await raw(colours, 2, 1, 3).withIccProfile("p3", { attach: true }).png().toBuffer();
    const stored = await sharp(tagged, { ignoreIcc: true }).raw().toBuffer();
    expect((await sharp(tagged).metadata()).hasProfile).toBe(true);
    expect([...(await decodeImage(tagged, "test")).data]).toEqual([...stored]);
  });

  describe("of inks", () => {
    /** Of one colour, at full quality. */
    const flat = () =>
      raw(
        Uint8Array.from({ length: 192 }, (_, i) => [200, 30, 60][i % 3] as number),
        8,
        8,
        3,
      );
    const jpeg = (profile?: string) => {
      const inks = profile === undefined ? flat().toColourspace("cmyk") : flat().withIccProfile(profile);
      return inks.jpeg({ quality: 100 }).toBuffer();
    };
    const inksOf = async (bytes: Uint8Array): Promise<number[]> => {
      const stored = sharp(bytes, { ignoreIcc: true }).toColourspace("cmyk").raw();
      return [...(await stored.toBuffer()).subarray(0, 4)];
    };
    /** (255 - C) (255 - K) / 255, rounded: Pillow's convert("RGB"), and browsers and ImageMagick without a profile. */
    const expected = ([c = 0, m = 0, y = 0, k = 0]: number[]): number[] =>
      [c, m, y].map((ink) => Math.round(((255 - ink) * (255 - k)) / 255));

    it("takes light by the plain formula that the usual readers have", async () => {
      const bytes = await jpeg();
      expect((await sharp(bytes).metadata()).space).toBe("cmyk");
      const inks = await inksOf(bytes);
      const image = await decodeImage(bytes, "test");
      expect([image.width, image.height]).toEqual([8, 8]);
      expect([...image.data.subarray(0, 3)]).toEqual(expected(inks));
      expect([...image.data.subarray(189)]).toEqual(expected(inks));
    });

    it("ignores a profile of inks as it does others", async () => {
      const bytes = await jpeg("cmyk");
      const { space, hasProfile } = await sharp(bytes).metadata();
      expect([space, hasProfile]).toEqual(["cmyk", true]);
      expect([...(await decodeImage(bytes, "test")).data.subarray(0, 3)]).toEqual(
        expected(await inksOf(bytes)),
      );
    });

    it("knows that JPEG files store inks inverted, with Adobe's mark or without", async () => {
      const bytes = await jpeg();
      const mark = bytes.indexOf("Adobe") - 4;
      expect([...bytes.subarray(mark, mark + 2)]).toEqual([0xff, 0xee]);
      const bare = Buffer.concat([bytes.subarray(0, mark), bytes.subarray(mark + 16)]);
      expect(await decodeImage(bare, "test")).toEqual(await decodeImage(bytes, "test"));
      // Dark red: were they taken as they are stored, it would come out light.
      const [red = 0, green = 0, blue = 0] = (await decodeImage(bytes, "test")).data;
      expect(red).toBeGreaterThan(150);
      expect(Math.max(green, blue)).toBeLessThan(80);
    });

    it("refuses those of more than 8 bits", async () => {
      // Little-endian TIFF of 1 x 1 pixel: header, directory, bits of each sample, samples.
      const entries = [
        [256, 3, 1, 1],
        [257, 3, 1, 1],
        [258, 3, 4, 128],
        [259, 3, 1, 1],
        [262, 3, 1, 5],
        [273, 4, 1, 136],
      ];
      entries.push([277, 3, 1, 4], [278, 3, 1, 1], [279, 4, 1, 8]);
      const tiff = Buffer.alloc(144);
      tiff.write("II*\0\x08\0\0\0", "latin1");
      tiff.writeUInt16LE(entries.length, 8);
      for (const [index, [tag = 0, type = 0, count = 0, value = 0]] of entries.entries()) {
        const at = 10 + 12 * index;
        tiff.writeUInt16LE(tag, at);
        tiff.writeUInt16LE(type, at + 2);
        tiff.writeUInt32LE(count, at + 4);
        tiff.writeUInt32LE(value, at + 8);
      }
      for (let sample = 0; sample < 4; sample++) tiff.writeUInt16LE(16, 128 + 2 * sample);
      expect(await sharp(tiff).metadata()).toMatchObject({ space: "cmyk", depth: "ushort" });
      await expect(decodeImage(tiff, "test")).rejects.toThrow(/CMYK of more than 8 bits/);
    });

    it("reads them from TIFF, where they are not inverted", async () => {
      const bytes = await flat().toColourspace("cmyk").tiff({ compression: "none" }).toBuffer();
      expect([...(await decodeImage(bytes, "test")).data.subarray(0, 3)]).toEqual(
        expected(await inksOf(bytes)),
      );
    });
  });

  it("reads the other picture formats", async () => {
    const source = raw(gradient(16, 16).data, 16, 16, 3);
    for (const format of ["jpeg", "webp", "gif", "tiff", "avif"] as const) {
      const image = await decodeImage(await source.clone().toFormat(format).toBuffer(), format);
      expect([image.width, image.height]).toEqual([16, 16]);
    }
  });

  it.each(readdirSync(cases).filter((name) => name.endsWith(".png")))("reads %s", async (name) => {
    const image = await readImage(join(cases, name));
    expect(await decodeImage(await encodePng(image, nodeZlib), name)).toEqual(image);
  });

  it("refuses what is no picture, is cut short, or is too large", async () => {
    const png = await encodePng(gradient(64, 64), nodeZlib);
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"/>');
    for (const bytes of [
      new Uint8Array(0),
      Buffer.from("no picture"),
      svg,
      png.subarray(0, png.length >> 1),
    ]) {
      await expect(decodeImage(bytes, "test")).rejects.toThrow(DataFormatError);
    }
    await expect(decodeImage(png, "test", { maxPixels: 4095 })).rejects.toThrow("64x64");
    // A header that claims 65,535 x 65,535 pixels must be refused before anything is allocated.
    const bomb = Buffer.from(png);
    bomb.writeUInt32BE(65_535, 16);
    bomb.writeUInt32BE(65_535, 20);
    await expect(decodeImage(bomb, "test")).rejects.toThrow(DataFormatError);
  });

  it("survives damaged bytes", async () => {
    const files = [
      await encodePng(gradient(32, 32), nodeZlib),
      await raw(gradient(32, 32).data, 32, 32, 3).jpeg().toBuffer(),
    ];
    let state = 3;
    const random = (limit: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * limit);
    };
    let refused = 0;
    for (let round = 0; round < 200; round++) {
      const bytes = Buffer.from(files[round % 2] ?? []);
      for (let n = 0; n < 4; n++) bytes[random(bytes.length)] = random(256);
      const outcome = await decodeImage(bytes, "test", { maxPixels: 1 << 20 }).catch(
        (error: unknown) => error,
      );
      if (!(outcome instanceof Error)) continue;
      expect(outcome).toBeInstanceOf(DataFormatError);
      refused++;
    }
    // Both ends must be reached, or the damage is too tame or too wild to test anything.
    expect(refused).toBeGreaterThan(20);
    expect(refused).toBeLessThan(180);
  });
});

describe("files", () => {
  it("are read, and refused when missing or no files", async () => {
    const folder = await mkdtemp(join(tmpdir(), "image-test-"));
    try {
      const path = join(folder, "a.png");
      await writeFile(path, await encodePng(gradient(3, 2), nodeZlib));
      expect(await readImage(path)).toEqual(gradient(3, 2));
      await expect(readImage(join(folder, "b.png"))).rejects.toThrow(InputError);
      await expect(readImage(folder)).rejects.toThrow(InputError);
      await expect(readImage("/dev/zero")).rejects.toThrow(InputError);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("are not written from data that do not fit", async () => {
    await expect(encodePng({ width: 2, height: 2, data: new Uint8Array(3) }, nodeZlib)).rejects.toThrow(
      ShapeError,
    );
  });
});
