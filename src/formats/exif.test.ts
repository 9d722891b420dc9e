import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { decodeExif, type ExifTexts, encodeExif } from "./exif.ts";
import { replaceExif } from "./exif-place.ts";

const TEXTS: readonly ExifTexts[] = [
  {},
  { description: '{"prompt":"\\u96e8"}' },
  { comment: "rain\nSteps: 2, Sampler: ode" },
  { description: "x", comment: "雨の日、猫 🐈‍⬛\nNegative prompt: 暗い" },
  { description: "odd", comment: "" },
];

describe("EXIF", () => {
  it.each(TEXTS)("comes back as it was written: %j", (texts) => {
    expect(decodeExif(encodeExif(texts))).toEqual(texts);
    expect(decodeExif(Buffer.concat([Buffer.from("Exif\0\0"), encodeExif(texts)]))).toEqual(texts);
  });

  it("holds a comment of other characters as the web UI does: UNICODE, UTF-16, big-endian", () => {
    const block = Buffer.from(encodeExif({ comment: "雨" }));
    expect(block.subarray(-10)).toEqual(Buffer.concat([Buffer.from("UNICODE\0"), Buffer.from([0x96, 0xe8])]));
    expect(encodeExif({ comment: "rain" }).length).toBe(8 + 18 + 18 + 12);
  });

  it.each(["jpeg", "webp"] as const)(
    "stands in a %s file, which other readers find whole",
    async (format) => {
      const plain = { create: { width: 33, height: 17, channels: 3, background: "#336699" } } as const;
      const file = await sharp(plain)
        .toFormat(format)
        .withExif({ IFD0: { ImageDescription: "-" } })
        .withXmp("<x/>")
        .toBuffer();
      const before = await sharp(file).raw().toBuffer();
      for (const texts of TEXTS.slice(1)) {
        const changed = replaceExif(file, encodeExif(texts));
        const { exif, xmp, width } = await sharp(changed, { failOn: "warning" }).metadata();
        expect(decodeExif(exif as Uint8Array)).toEqual(texts);
        expect([width, xmp?.toString()]).toEqual([33, "<x/>"]);
        expect(await sharp(changed, { failOn: "warning" }).raw().toBuffer()).toEqual(before);
      }
    },
  );

  it("is nothing where a block is none, or cut off anywhere", () => {
    const block = encodeExif({ description: "abcdef", comment: "雨の日" });
    for (let length = 0; length < block.length; length++) {
      const { description, comment } = decodeExif(block.subarray(0, length));
      expect(description === undefined || description === "abcdef").toBe(true);
      expect(comment).toBeUndefined();
    }
    expect(decodeExif(new Uint8Array(64).fill(255))).toEqual({});
    expect(() => replaceExif(new Uint8Array(16), block)).toThrow("holds no EXIF");
  });
});
