import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { InputError } from "../../errors.ts";
import { writeFolder } from "./written-folder.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "written-"));
});
afterEach(() => rm(folder, { recursive: true }));

it("keeps what was there and leaves nothing else when the disk is full", async () => {
  const target = join(folder, "model");
  await writeFolder(target, (path) => writeFile(join(path, "a"), "old"));
  const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
  const failing = writeFolder(target, async (path) => {
    await writeFile(join(path, "a"), "new");
    throw full;
  });
  await expect(failing).rejects.toThrow(InputError);
  await expect(failing).rejects.toThrow(`${target}: cannot be written: the disk is full`);
  expect(await readdir(folder)).toEqual(["model"]);
  expect(await readFile(join(target, "a"), "utf8")).toBe("old");
});
