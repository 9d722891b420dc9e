/** @file Several processes on one PostgreSQL and one store. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type OpenQueue, openQueue } from "../../src/serve/queue/open-queue.ts";
import { MODEL, testJob } from "../../src/serve/queue/test-jobs.ts";
import { FolderStore } from "../../src/serve/store/folder-store.ts";
import { newDatabase } from "./services.ts";

const CHILD = fileURLToPath(new URL("./worker-child.ts", import.meta.url));
const FOREVER = new AbortController().signal;
const LEASE_SECONDS = 2;
const WHOLE = Uint8Array.from({ length: 64 }, (_, index) => index + 1);

let folder = "";
const children: ChildProcess[] = [];
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "nextstep-services-"));
});
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await rm(folder, { recursive: true, force: true });
});

class Worker {
  readonly lines: string[] = [];
  readonly ended: Promise<number | null>;
  readonly #child: ChildProcess;
  #onLine = (): void => {};

  constructor(databaseUrl: string, tokenMs: number) {
    const args = [databaseUrl, folder, MODEL, `${tokenMs}`, `${LEASE_SECONDS}`];
    const child = spawn(process.execPath, ["--import", "tsx", CHILD, ...args], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    children.push(child);
    this.#child = child;
    createInterface({ input: child.stdout! }).on("line", (line) => {
      this.lines.push(line);
      this.#onLine();
    });
    this.ended = new Promise((resolve) => child.once("close", resolve));
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async says(is: (line: string) => boolean): Promise<void> {
    while (!this.lines.some(is)) {
      await new Promise<void>((resolve) => {
        this.#onLine = resolve;
      });
    }
  }
}

async function openShared(databaseUrl: string): Promise<OpenQueue> {
  const blobs = await FolderStore.open(folder);
  return openQueue({ databaseUrl }, { blobs, maxQueued: 1000, leaseSeconds: LEASE_SECONDS });
}

test("servers that start at once on an empty database take turns", async () => {
  const databaseUrl = await newDatabase();
  const queues = await Promise.all([1, 2, 3, 4].map(() => openShared(databaseUrl)));
  // So do those who are first to need a model.
  const records = await Promise.all(queues.map((queue) => queue.submit(testJob())));
  expect(records.map(({ position }) => position).sort()).toEqual([0, 1, 2, 3]);
  for (const queue of queues) await queue[Symbol.asyncDispose]();
});

test("what a killed worker was drawing, another draws on, once; who watches is told of both", async () => {
  const databaseUrl = await newDatabase();
  await using queue = await openShared(databaseUrl);
  const { id } = await queue.submit(testJob());
  const seen: string[] = [];
  const watching = (async () => {
    for await (const { status, attempts, progress } of queue.watch(id, FOREVER)) {
      seen.push(`${status} ${attempts} ${progress !== null && progress.token >= 20}`);
    }
  })();
  const first = new Worker(databaseUrl, 50);
  await first.says((line) => line.startsWith(`drawing ${id} 24`));
  await expect.poll(() => seen).toContain("drawing 1 true");
  first.kill("SIGKILL");
  await first.ended;
  const second = new Worker(databaseUrl, 0);
  expect(await second.ended).toBe(0);
  await watching;
  const tokens = second.lines.flatMap((line) =>
    line.startsWith(`drawing ${id}`) ? [Number(line.split(" ")[2])] : [],
  );
  expect(tokens[0]).toBeGreaterThanOrEqual(24);
  expect(tokens.length).toBeLessThanOrEqual(64 - 23);
  const record = await queue.get(id);
  expect(record).toMatchObject({ status: "finished", attempts: 2 });
  expect(await queue.gallery.count()).toBe(1);
  const blobs = await FolderStore.open(folder);
  expect(await blobs.get((await queue.gallery.get(record!.pictures[0]!))!.blob)).toEqual(Buffer.from(WHOLE));
  expect(await blobs.drafts.get(id)).toBeUndefined();
  expect(seen[0]).toBe("queued 0 false");
  expect(seen.at(-1)).toBe("finished 2 false");
});

test("a cancelled job is out of another process's hands at once", async () => {
  const databaseUrl = await newDatabase();
  await using queue = await openShared(databaseUrl);
  const { id } = await queue.submit(testJob());
  const worker = new Worker(databaseUrl, 1000);
  await worker.says((line) => line.startsWith(`drawing ${id} 2`));
  const asked = performance.now();
  await queue.cancel(id);
  expect(await worker.ended).toBe(0);
  // Two tokens at most, where 62 were left.
  expect(performance.now() - asked).toBeLessThan(20_000);
  expect(worker.lines).not.toContain(`finished ${id}`);
  expect(await queue.get(id)).toMatchObject({ status: "cancelled" });
});

test("a worker that was stopped and wakes up finishes nothing that others have finished", async () => {
  const databaseUrl = await newDatabase();
  await using queue = await openShared(databaseUrl);
  const { id } = await queue.submit(testJob());
  const sleeper = new Worker(databaseUrl, 50);
  await sleeper.says((line) => line.startsWith(`drawing ${id} 10`));
  sleeper.kill("SIGSTOP");
  const other = new Worker(databaseUrl, 0);
  await other.says((line) => line === `finished ${id}`);
  sleeper.kill("SIGCONT");
  expect(await sleeper.ended).toBe(0);
  expect(sleeper.lines).not.toContain(`finished ${id}`);
  expect(await queue.gallery.count()).toBe(1);
});

test("of many jobs and three workers that are killed at any time, each job ends once", async () => {
  const databaseUrl = await newDatabase();
  await using queue = await openShared(databaseUrl);
  const submitted: string[] = [];
  for (let i = 0; i < 60; i++) submitted.push((await queue.submit(testJob(`${i}`))).id);
  const kills = 6;
  const workers = [1, 2, 3].map(() => new Worker(databaseUrl, 2));
  for (let kill = 0; kill < kills; kill++) {
    const worker = workers[kill % workers.length]!;
    const seen = worker.lines.length;
    await worker.says((line) => line.startsWith("drawing"));
    while (worker.lines.length < seen + 40) await new Promise((resolve) => setTimeout(resolve, 10));
    worker.kill("SIGKILL");
    await worker.ended;
    workers[kill % workers.length] = new Worker(databaseUrl, 2);
  }
  for (const worker of workers) expect(await worker.ended).toBe(0);
  const records = await queue.list({ limit: 100 });
  expect(records.map(({ id }) => id).sort()).toEqual(submitted.sort());
  expect(records.filter(({ status }) => status !== "finished")).toEqual([]);
  expect(await queue.gallery.count()).toBe(submitted.length);
});
