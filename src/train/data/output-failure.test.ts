/** @file What cannot be written of a data set says where and what to do. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { OutputFolder } from "./output-folder.ts";
import { SampleWriter } from "./sample-writer.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "write-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

describe("failures to write a data set", () => {
  it("name the place, of shards and of folders", async () => {
    await writeFile(join(root, "file"), "");
    await using writer = new SampleWriter(join(root, "file", "below"));
    await expect(writer.add("key", { caption: "x" }, [])).rejects.toThrow(
      /below.*tar: cannot be written: a part/,
    );
    await expect(OutputFolder.create(join(root, "file"))).rejects.toThrow(/file: is not a folder/);
    await using output = await OutputFolder.create(join(root, "out"));
    await mkdir(join(root, "out"));
    await writeFile(join(root, "out", "other"), "");
    await expect(output.commit()).rejects.toThrow(/out: cannot be written: was filled by something else/);
    expect(await readdir(join(root, "out"))).toEqual(["other"]);
  });
});
