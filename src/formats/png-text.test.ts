/** @file PNG text chunks on real pictures, and on damaged ones. */

import { readFile } from "node:fs/promises";
import { crc32, deflateSync } from "node:zlib";
import sharp from "sharp";
import { beforeAll, describe, expect, it } from "vitest";
import { DataFormatError, InputError } from "../errors.ts";
import { nodeZlib } from "../files/zlib.ts";
import { isPng, type PngChunk, readPngChunks, writePngChunks } from "./png.ts";
import { findPngText, readPngTexts, setPngTexts } from "./png-text.ts";
import { readDigitalSourceType, XMP_KEYWORD, xmpPacket } from "./xmp.ts";

const cases = new URL("../../test/parity/cases/", import.meta.url);
let picture: Uint8Array;
beforeAll(async () => {
  picture = await readFile(new URL("edit-input.png", cases));
});

/** The picture with chunks of our making in front of its pixels. */
function withChunks(...added: PngChunk[]): Uint8Array {
  const chunks = readPngChunks(picture);
  chunks.splice(1, 0, ...added);
  return writePngChunks(chunks);
}

const chunk = (type: string, ...parts: (string | Uint8Array)[]): PngChunk => ({
  type,
  data: Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part, "latin1") : part))),
});

describe("chunks", () => {
  it("come back byte for byte", () => {
    expect(isPng(picture)).toBe(true);
    expect(Buffer.from(writePngChunks(readPngChunks(picture))).equals(Buffer.from(picture))).toBe(true);
  });

  it("leave out what follows the end", () => {
    const longer = Buffer.concat([picture, Buffer.from("tail")]);
    expect(writePngChunks(readPngChunks(longer)).length).toBe(picture.length);
  });

  it("refuse truncation at any length and a flip of any bit of the first 200 bytes", () => {
    for (let length = 0; length < picture.length; length += 1 + (length >> 5)) {
      expect(() => readPngChunks(picture.subarray(0, length))).toThrow(DataFormatError);
    }
    for (let bit = 0; bit < 1600; bit++) {
      const damaged = Uint8Array.from(picture);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => readPngChunks(damaged)).toThrow(DataFormatError);
    }
  });

  it("refuse a second or missing IHDR and types that are no letters", () => {
    const chunks = readPngChunks(picture);
    expect(() => readPngChunks(writePngChunks([chunks[0]!, ...chunks]))).toThrow(/IHDR/);
    expect(() => readPngChunks(writePngChunks(chunks.slice(1)))).toThrow(/IHDR/);
    expect(() => readPngChunks(withChunks(chunk("te1t", "")))).toThrow(/type/);
  });
});

describe("texts", () => {
  it("are written as tEXt or iTXt as their characters demand, and the pixels stay", async () => {
    const texts = [
      { keyword: "parameters", text: "caf\u00e9\nSteps: 28" },
      { keyword: "nextstep", text: '{"prompt":"猫 🐈"}' },
      { keyword: XMP_KEYWORD, text: "plain", kind: "iTXt" },
      { keyword: "empty", text: "" },
    ] as const;
    const marked = setPngTexts(picture, texts);
    expect((await readPngTexts(marked, nodeZlib)).map((t) => [t.keyword, t.text, t.kind])).toEqual([
      ["parameters", texts[0].text, "tEXt"],
      ["nextstep", texts[1].text, "iTXt"],
      [XMP_KEYWORD, "plain", "iTXt"],
      ["empty", "", "tEXt"],
    ]);
    const pixels = (bytes: Uint8Array): Promise<Buffer> => sharp(bytes).raw().toBuffer();
    expect((await pixels(marked)).equals(await pixels(picture))).toBe(true);
  });

  it("are replaced by keyword", async () => {
    const two = setPngTexts(picture, [
      { keyword: "a", text: "1" },
      { keyword: "b", text: "2" },
    ]);
    const replaced = setPngTexts(two, [{ keyword: "a", text: "\u2713" }]);
    const read = await readPngTexts(replaced, nodeZlib);
    expect(read.map((t) => `${t.keyword}=${t.text}`)).toEqual(["b=2", "a=\u2713"]);
    expect(findPngText(read, "a")).toBe("\u2713");
    expect(findPngText(read, "c")).toBeUndefined();
  });

  it("are read from compressed chunks and through language tags", async () => {
    const png = withChunks(
      chunk("zTXt", "z\0\0", deflateSync(Buffer.from("caf\u00e9", "latin1"))),
      chunk(
        "iTXt",
        "i\0\x01\0de\0",
        Buffer.from("schlüssel", "utf8"),
        "\0",
        deflateSync(Buffer.from("Größe", "utf8")),
      ),
      chunk("iTXt", "p\0\0\0\0\0", Buffer.from("猫", "utf8")),
    );
    expect((await readPngTexts(png, nodeZlib)).map((t) => t.text)).toEqual(["caf\u00e9", "Größe", "猫"]);
  });

  it.each<[string, PngChunk, RegExp]>([
    ["no keyword", chunk("tEXt", "\0text"), /no keyword/],
    ["no separator", chunk("tEXt", "text"), /no keyword/],
    ["a keyword of 80 characters", chunk("tEXt", "k".repeat(80), "\0"), /no keyword/],
    ["an unknown compression", chunk("zTXt", "k\0\x01"), /unknown compression/],
    ["an empty zTXt", chunk("zTXt", "k\0"), /unknown compression/],
    ["a broken deflate stream", chunk("zTXt", "k\0\0nonsense"), /decompressed/],
    ["a deflate bomb", chunk("zTXt", "k\0\0", deflateSync(new Uint8Array(50_000_000))), /too large/],
    ["an iTXt that ends early", chunk("iTXt", "k\0\0\0en"), /malformed/],
    ["an iTXt flag of 2", chunk("iTXt", "k\0\x02\0\0\0"), /malformed/],
    ["an unknown iTXt method", chunk("iTXt", "k\0\x01\x01\0\0"), /malformed/],
    ["an iTXt that is not UTF-8", chunk("iTXt", "k\0\0\0\0\0\xff"), /UTF-8/],
    ["a text of 5 MB", chunk("tEXt", "k\0", "x".repeat(5_000_000)), /too large/],
  ])("refuse %s", async (_what, added, message) => {
    const read = readPngTexts(withChunks(added), nodeZlib);
    await expect(read).rejects.toThrow(DataFormatError);
    await expect(read).rejects.toThrow(message);
  });

  it("share one allowance for what they inflate to", async () => {
    const bomb = chunk("zTXt", "k\0\0", deflateSync(new Uint8Array(1_000_000)));
    expect(await readPngTexts(withChunks(bomb, bomb), nodeZlib)).toHaveLength(2);
    const bombs = withChunks(...new Array<PngChunk>(5).fill(bomb));
    await expect(readPngTexts(bombs, nodeZlib)).rejects.toThrow(/too large/);
    const tiny = chunk("tEXt", "k\0");
    const many = withChunks(...new Array<PngChunk>(5000).fill(tiny));
    await expect(readPngTexts(many, nodeZlib)).rejects.toThrow(/more than/);
  });

  it.each(["", " lead", "trail ", "two  spaces", "tab\t", "k".repeat(80), "猫", "a\0b"])(
    "refuse the keyword %j",
    (keyword) => {
      expect(() => setPngTexts(picture, [{ keyword, text: "" }])).toThrow(InputError);
    },
  );

  it("refuse text that PNG cannot hold", () => {
    const set =
      (text: string, kind?: "tEXt"): (() => unknown) =>
      () =>
        setPngTexts(picture, [{ keyword: "k", text, ...(kind === undefined ? {} : { kind }) }]);
    expect(set("a\0b")).toThrow(InputError);
    expect(set("猫", "tEXt")).toThrow(InputError);
    expect(set("x".repeat(5_000_000))).toThrow(/too long/);
  });

  it("carry checksums that other readers accept", () => {
    const marked = setPngTexts(picture, [{ keyword: "k", text: "v" }]);
    const at = Buffer.from(marked).indexOf("tEXt");
    expect(Buffer.from(marked).readUInt32BE(at + 4 + 3)).toBe(crc32("tEXtk\0v"));
  });
});

describe("XMP", () => {
  it("states its source type and is read back, also as an attribute", async () => {
    for (const type of ["trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia"] as const) {
      const marked = setPngTexts(picture, [{ keyword: XMP_KEYWORD, text: xmpPacket(type), kind: "iTXt" }]);
      expect(readDigitalSourceType(findPngText(await readPngTexts(marked, nodeZlib), XMP_KEYWORD)!)).toBe(
        type,
      );
    }
    const url = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture";
    expect(readDigitalSourceType(`<a DigitalSourceType DigitalSourceType = '${url}'/>`)).toBe(
      "digitalCapture",
    );
    expect(readDigitalSourceType("<DigitalSourceType>elsewhere</DigitalSourceType>")).toBeUndefined();
    expect(readDigitalSourceType("DigitalSourceType".repeat(10_000))).toBeUndefined();
    // A name of the vocabulary to its end, and no markup.
    expect(readDigitalSourceType(`<a DigitalSourceType="${url}>more"/>`)).toBeUndefined();
  });

  it("is XML that a picture library recognises", async () => {
    const marked = setPngTexts(picture, [
      { keyword: XMP_KEYWORD, text: xmpPacket("trainedAlgorithmicMedia"), kind: "iTXt" },
    ]);
    const { xmp } = await sharp(marked).metadata();
    expect(xmp?.toString("utf8")).toBe(xmpPacket("trainedAlgorithmicMedia"));
  });
});
