import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { InputError } from "../../errors.ts";
import { RunLock } from "./run-lock.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lock-"));
});
afterEach(() => rm(folder, { recursive: true }));

it("refuses a second trainer by its process, until the first has gone", async () => {
  const first = await RunLock.acquire(folder);
  const second = RunLock.acquire(folder);
  await expect(second).rejects.toThrow(InputError);
  await expect(second).rejects.toThrow(`process ${process.pid} trains`);
  await first[Symbol.asyncDispose]();
  await using third = await RunLock.acquire(folder);
  expect(third).toBeInstanceOf(RunLock);
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
  await using _lock = await RunLock.acquire(folder);
  const left = (await readdir(folder)).filter((name) => !name.startsWith(".lock-"));
  expect(left.sort()).toEqual(["kept.partial", "latents", "log.jsonl"]);
  expect(await readdir(join(folder, "latents"))).toEqual([]);
});

it("lets at most one of several in that come at once", async () => {
  const all = await Promise.allSettled(Array.from({ length: 4 }, () => RunLock.acquire(folder)));
  const won = all.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
  expect(won.length).toBeLessThanOrEqual(1);
  for (const lock of won) await lock[Symbol.asyncDispose]();
  expect(await readdir(folder)).toEqual([]);
});

it("passes over the lock of a process that is dead, or whose number was used again", async () => {
  const child = spawn(process.execPath, ["-e", ""]);
  await once(child, "exit");
  await writeFile(join(folder, `.lock-${child.pid}-0-ab`), "");
  if (process.platform === "linux") await writeFile(join(folder, `.lock-${process.pid}-1-ab`), "");
  await using _lock = await RunLock.acquire(folder);
  expect(await readdir(folder)).toHaveLength(1);
});
