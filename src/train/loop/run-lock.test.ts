import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { lockRun } from "./run-lock.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lock-"));
});
afterEach(() => rm(folder, { recursive: true }));

it("refuses a second trainer, naming the first", async () => {
  await using _lock = await lockRun(folder);
  await expect(lockRun(folder)).rejects.toThrow(`process ${process.pid} trains in this folder`);
});

it("removes temporary files of processes that were killed, and nothing else", async () => {
  await mkdir(join(folder, "latents"));
  const names = [
    ".0123456789abcdef.partial",
    "latents/.00112233445566ff.partial",
    "kept.partial",
    "log.jsonl",
  ];
  for (const name of names) await writeFile(join(folder, name), "");
  await using _lock = await lockRun(folder);
  const left = (await readdir(folder)).filter((name) => !name.startsWith(".lock-"));
  expect(left.sort()).toEqual(["kept.partial", "latents", "log.jsonl"]);
  expect(await readdir(join(folder, "latents"))).toEqual([]);
});
