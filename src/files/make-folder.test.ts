import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { InputError } from "../errors.ts";
import { makeFolder } from "./make-folder.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "nextstep-folder-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it("makes a folder with those above it, also when several make it at once", async () => {
  const path = join(folder, "a", "b", "c");
  await Promise.all([1, 2, 3].map(() => makeFolder(path)));
  await makeFolder(path);
  expect((await stat(path)).isDirectory()).toBe(true);
});

it("says that a file is in the way", async () => {
  const file = join(folder, "file");
  await writeFile(file, "");
  await expect(makeFolder(file)).rejects.toThrow(InputError);
  await expect(makeFolder(join(file, "below"))).rejects.toThrow(/ENOTDIR|not a folder/);
});

it.skipIf(process.platform !== "linux")("ends where a file system takes no folder", async () => {
  await expect(makeFolder("/proc/nowhere/below")).rejects.toThrow();
});
