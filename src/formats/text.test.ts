/** @file Texts as editors on several systems save them. */
import { describe, expect, it } from "vitest";
import { DataFormatError } from "../errors.ts";
import { decodeText } from "./text.ts";

const TEXT = "Ein grüner Apfel, 猫 😀\n";
const utf16 = (text: string, mark: boolean): Buffer =>
  Buffer.from(`${mark ? "\uFEFF" : ""}${text}`, "utf16le");

describe("decodeText", () => {
  it.each<[string, Uint8Array]>([
    ["UTF-8", Buffer.from(TEXT)],
    ["UTF-8 with a mark", Buffer.from(`\uFEFF${TEXT}`)],
    ["UTF-16, little end first", utf16(TEXT, true)],
    ["UTF-16, big end first", utf16(TEXT, true).swap16()],
  ])("reads %s", (_what, bytes) => {
    expect(decodeText(bytes, "a.txt")).toBe(TEXT);
  });

  it.each<[string, Uint8Array, RegExp]>([
    ["Latin-1", Buffer.from("grün", "latin1"), /a\.txt: is not UTF-8 text \(save it as UTF-8\)/],
    ["UTF-16 without a mark", utf16("a red apple", false), /NUL/],
    ["UTF-16 that ends within a character", utf16(TEXT, true).subarray(0, -1), /damaged UTF-16LE/],
    ["UTF-16 with half a surrogate pair", utf16("\ud83d", true), /damaged UTF-16LE/],
    ["UTF-32", Buffer.from([0xff, 0xfe, 0, 0, 0x61, 0, 0, 0]), /UTF-32/],
    ["a picture", Buffer.from([0x89, 0x50, 0x4e, 0x47]), /UTF-8/],
  ])("refuses %s", (_what, bytes, message) => {
    expect(() => decodeText(bytes, "a.txt")).toThrow(DataFormatError);
    expect(() => decodeText(bytes, "a.txt")).toThrow(message);
  });

  it("takes no text at all", () => {
    expect(decodeText(new Uint8Array(0), "a.txt")).toBe("");
  });
});
