import { link, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { InputError } from "../errors.ts";
import { MAX_WRITE_BYTES, ReplacementFile, replaceFile, writeAll } from "./replacement-file.ts";
import { syncHandle } from "./sync-folder.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "replacement-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function* numbered(): Generator<string> {
  for (let n = 1; ; n++) yield join(folder, `picture-${n}.png`);
}

describe("ReplacementFile", () => {
  it("gives each of several writers a name of its own", async () => {
    const write = async (text: string): Promise<string> => {
      const file = await ReplacementFile.create(join(folder, "picture"));
      await file.write(new TextEncoder().encode(text));
      return file.commitAsFirstFree(numbered());
    };
    const texts = Array.from({ length: 12 }, (_, index) => `picture ${index}`);
    const paths = await Promise.all(texts.map(write));
    expect(new Set(paths).size).toBe(12);
    expect(await Promise.all(paths.map((path) => readFile(path, "utf8")))).toEqual(texts);
    expect(await readdir(folder)).toHaveLength(12);
  });

  it("takes the longest name that the system takes", async () => {
    const path = join(folder, "字".repeat(85));
    await replaceFile(path, (file) => file.write(Uint8Array.of(1)));
    expect((await stat(path)).size).toBe(1);
  });

  it("names the file that cannot be written, and leaves nothing behind", async () => {
    await writeFile(join(folder, "file"), "");
    const below = join(folder, "file", "below.png");
    await expect(replaceFile(below, async () => {})).rejects.toThrow(InputError);
    await expect(replaceFile(below, async () => {})).rejects.toThrow(
      /file: cannot be written: is not a folder/,
    );
    await link(join(folder, "file"), join(folder, "other"));
    await expect(replaceFile(folder, async () => {})).rejects.toThrow(/cannot be written/);
    expect((await readdir(folder)).sort()).toEqual(["file", "other"]);
  });
});

describe("writeAll", () => {
  it("asks no call for more than every system moves, and goes on after a short one", async () => {
    const calls: [offset: number, length: number][] = [];
    // Of an array that takes no memory: nothing touches its pages.
    const bytes = new Uint8Array(2 * MAX_WRITE_BYTES + 10);
    const write = async (_: unknown, offset: number, length: number): Promise<{ bytesWritten: number }> => {
      calls.push([offset, length]);
      return { bytesWritten: calls.length === 1 ? 6 : length };
    };
    await writeAll({ write } as Parameters<typeof writeAll>[0], bytes);
    expect(calls).toEqual([
      [0, MAX_WRITE_BYTES],
      [6, MAX_WRITE_BYTES],
      [6 + MAX_WRITE_BYTES, MAX_WRITE_BYTES],
      [6 + 2 * MAX_WRITE_BYTES, 4],
    ]);
  });
});

describe("syncHandle", () => {
  it("flushes by the descriptor where a handle has no way of its own", async () => {
    const handle = await open(join(folder, "file"), "w");
    try {
      await syncHandle({ fd: handle.fd });
      await expect(syncHandle({ fd: 1 << 20 })).rejects.toThrow(/EBADF/);
    } finally {
      await handle.close();
    }
  });
});
