/** @file Failures to write say where and what to do; others stay what they are. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AbortedError, InputError } from "../../errors.ts";
import { OutputFolder } from "./output-folder.ts";
import { SampleWriter } from "./sample-writer.ts";
import { writeFailure } from "./write-failure.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "write-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const systemError = (code: string): Error => Object.assign(new Error(`${code}: write`), { code });

describe("writeFailure", () => {
  it("explains system errors with the path", () => {
    const full = writeFailure(systemError("ENOSPC"), "data/out");
    expect(full).toBeInstanceOf(InputError);
    expect(String(full)).toMatch(/data\/out: cannot be written: the disk is full \(free some space/);
    expect(String(writeFailure(systemError("EIO"), "data/out"))).toMatch(/data\/out: .*EIO: write/);
  });

  it("leaves typed errors and faults of the program alone", () => {
    for (const error of [new AbortedError(), new TypeError("bug")])
      expect(writeFailure(error, "x")).toBe(error);
  });

  it("serves shards and folders", async () => {
    await writeFile(join(root, "file"), "");
    await using writer = new SampleWriter(join(root, "file", "below"));
    await expect(writer.add("key", { caption: "x" }, [])).rejects.toThrow(/below: cannot be written: a part/);
    await expect(OutputFolder.create(join(root, "file"))).rejects.toThrow(/file: is not a folder/);
    await using output = await OutputFolder.create(join(root, "out"));
    await mkdir(join(root, "out"));
    await writeFile(join(root, "out", "other"), "");
    await expect(output.commit()).rejects.toThrow(/out: cannot be written: was filled by something else/);
    expect(await readdir(join(root, "out"))).toEqual(["other"]);
  });
});
