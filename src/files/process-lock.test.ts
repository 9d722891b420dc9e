import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { InputError } from "../errors.ts";
import { ProcessLock } from "./process-lock.ts";

const acquire = (file?: string) =>
  ProcessLock.acquire(folder, (pid) => new InputError(`process ${pid} works here`), file);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lock-"));
});
afterEach(() => rm(folder, { recursive: true }));

it("refuses a second process, naming the first, until the first has gone", async () => {
  const first = await acquire();
  const second = acquire();
  await expect(second).rejects.toThrow(InputError);
  await expect(second).rejects.toThrow(`process ${process.pid} works`);
  await first[Symbol.asyncDispose]();
  await using third = await acquire();
  expect(third).toBeInstanceOf(ProcessLock);
});

it("lets at most one of several in that come at once", async () => {
  const all = await Promise.allSettled(Array.from({ length: 4 }, () => acquire()));
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
  await using _lock = await acquire();
  expect(await readdir(folder)).toHaveLength(1);
});

it("locks one file of a folder beside others, and beside the folder", async () => {
  await using _folder = await acquire();
  await using _other = await acquire("b.job");
  await using _file = await acquire("a.job");
  await expect(acquire("a.job")).rejects.toThrow(`process ${process.pid} works`);
});
