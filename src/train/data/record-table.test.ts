/** @file Tables as spreadsheets and scripts write them. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DataFormatError, InputError } from "../../errors.ts";
import { readTable } from "./record-table.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "table-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function read(name: string, contents: string | Uint8Array) {
  const path = join(folder, name);
  await writeFile(path, contents);
  return readTable(path, [["file_name"], ["caption", "text"]]);
}

describe("readTable", () => {
  it("reads CSV with quotes, line breaks in cells, any line ends, a mark, and empty cells", async () => {
    const text = `file_name,caption, width,note\r\na.png,"red, ""round""\nand ripe",512,\r\n\r\nb.png,1984,007,x\r\n`;
    const expected = [
      [{ file_name: "a.png", caption: 'red, "round"\nand ripe', width: 512 }, 3],
      [{ file_name: "b.png", caption: "1984", width: "007", note: "x" }, 5],
    ];
    for (const bytes of [Buffer.from(`\uFEFF${text}`), Buffer.from(`\uFEFF${text}`, "utf16le")]) {
      expect((await read("t.csv", bytes)).map(({ record, line }) => [record, line])).toEqual(expected);
    }
  });

  it.each<[string, string | Uint8Array, RegExp]>([
    [
      "t.csv",
      "file_name;caption\na.png;red",
      /line 1: has no column "file_name".*it names "file_name;caption"/,
    ],
    ["t.csv", "file_name\na.png", /no column "caption" or "text"/],
    // Nothing that a terminal would obey.
    ["t.csv", "file_name,\u009b2Jcap\na.png,b", /it names "file_name", "\?2Jcap"/],
    ["t.csv", 'file_name,caption\n"a"\u0007,b', /well-formed CSV: \P{Cc}*$/u],
    ["t.csv", "file_name,caption,caption\na,b,c", /names the column "caption" twice/],
    ["t.csv", "file_name,caption\na.png,red, ripe", /not well-formed CSV: .*line 2/],
    ["t.csv", 'file_name,caption\na.png,"red', /not well-formed CSV: .*[Qq]uote/],
    ["t.csv", Buffer.from("file_name,caption\na.png,grün", "latin1"), /is not UTF-8/],
    ["t.csv", `file_name,caption\na.png,${"x".repeat(5e6)}`, /not well-formed CSV/],
    ["t.jsonl", '{"file_name": "a"}\n{', /line 2: is not JSON/],
    ["t.jsonl", "[1]", /line 1: is no JSON object/],
  ])("refuses %s %#", async (name, contents, message) => {
    const failure = read(name, contents);
    await expect(failure).rejects.toThrow(DataFormatError);
    await expect(failure).rejects.toThrow(message);
  });

  it("refuses what is not there or no regular file", async () => {
    await expect(readTable(join(folder, "none.csv"), [])).rejects.toThrow(InputError);
    await expect(readTable(folder, [])).rejects.toThrow(InputError);
    expect(await read("empty.jsonl", "\n\n")).toEqual([]);
  });
});
