/** @file Ranged reading and whole-or-nothing writing. */

import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DataFormatError, InputError } from "../errors.ts";
import { MemorySource } from "../formats/byte-source.ts";
import { FileSource } from "./file-source.ts";
import { ReplacementFile, replaceFile } from "./replacement-file.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "byte-source-"));
});
afterAll(() => rm(folder, { recursive: true }));

describe("ByteSource", () => {
  it("reads the same ranges from a file and from memory, and refuses ranges outside", async () => {
    const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i % 251);
    const path = join(folder, "bytes");
    await writeFile(path, bytes);
    const file = await FileSource.open(path);
    const memory = new MemorySource(bytes);
    for (const source of [file, memory]) {
      expect(source.byteLength).toBe(1000);
      expect(await source.read(3, 500)).toEqual(bytes.slice(3, 503));
      expect((await source.read(1000, 0)).length).toBe(0);
      expect((await source.read(1, 8)).byteOffset).toBe(0);
      for (const [offset, length] of [
        [0, 1001],
        [-1, 2],
        [0.5, 1],
        [999, 2],
        [2 ** 53, 1],
        [0, -1],
      ] as const) {
        await expect(source.read(offset, length)).rejects.toThrow(DataFormatError);
      }
      await source.close();
    }
  });

  it("says why a file cannot be opened", async () => {
    await expect(FileSource.open(join(folder, "none"))).rejects.toThrow(/no such file/);
    await expect(FileSource.open(folder)).rejects.toThrow(InputError);
  });

  it.skipIf(process.platform === "win32")("does not wait at a pipe, nor read from a device", async () => {
    const pipe = join(folder, "pipe");
    execFileSync("mkfifo", [pipe]);
    await expect(FileSource.open(pipe)).rejects.toThrow(/not a regular file/);
    await expect(FileSource.open("/dev/zero")).rejects.toThrow(/not a regular file/);
  });

  it("notices a file that shrinks", async () => {
    const path = join(folder, "shrinks");
    await writeFile(path, new Uint8Array(100));
    const source = await FileSource.open(path);
    await writeFile(path, new Uint8Array(10));
    await expect(source.read(0, 100)).rejects.toThrow(/shorter/);
    await source.close();
  });
});

describe("replaceFile", () => {
  it("keeps the old file until the new one is whole", async () => {
    const target = join(folder, "nested", "target");
    await mkdir(join(folder, "nested"));
    await replaceFile(target, (file) => file.write(Uint8Array.of(1)));
    await expect(
      replaceFile(target, async (file) => {
        await file.write(Uint8Array.of(2));
        throw new Error("stop");
      }),
    ).rejects.toThrow("stop");
    expect([...(await readFile(target))]).toEqual([1]);
    const half = await ReplacementFile.create(target);
    await half.write(Uint8Array.of(3, 4));
    expect(half.position).toBe(2);
    expect([...(await readFile(target))]).toEqual([1]);
    await half.commit();
    await half.discard();
    expect([...(await readFile(target))]).toEqual([3, 4]);
    expect(await readdir(join(folder, "nested"))).toEqual(["target"]);
  });
});
