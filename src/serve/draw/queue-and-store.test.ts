import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { CachedRows } from "../../generate/cached-rows.ts";
import { Model } from "../../generate/model.ts";
import { testModelPath } from "../../generate/test-models.ts";
import { nodePlatform } from "../../node/platform.ts";
import { floatsOf } from "../../tensor/float-bytes.ts";
import type { JobRecord } from "../contract/job.ts";
import { EmbeddedDatabase } from "../queue/embedded-database.ts";
import { type OpenQueue, startQueue } from "../queue/open-queue.ts";
import { FolderStore } from "../store/folder-store.ts";
import { requestOf } from "./test-rooms.ts";
import { createWorker, type Worker } from "./worker.ts";

// A database and models are opened, which takes its time on a machine that is busy.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const openTiny = () => Model.open(nodePlatform, testModelPath("v1.1"), { threads: 1 });

let folder: string;
let store: FolderStore;
let queue: OpenQueue;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "nextstep-draw-"));
  store = await FolderStore.open(folder);
  queue = await startQueue(await EmbeddedDatabase.inMemory(), { blobs: store, maxQueued: 10 });
});
afterAll(async () => {
  await queue[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

function startWorker(name: string): Worker {
  const { desk, gallery } = queue;
  return createWorker({ name, model: "tiny", open: openTiny, desk, gallery, blobs: store, maxBatch: 4 });
}

async function until(id: string, isSo: (job: JobRecord) => boolean): Promise<JobRecord> {
  for await (const job of queue.watch(id, new AbortController().signal)) if (isSo(job)) return job;
  throw new Error("the job has ended");
}

/** Lets a drawing read `times` times and holds it there until it is released, which this gives. */
function holdDrawing(times: number): () => void {
  const read = CachedRows.prototype.append;
  const reading = vi.spyOn(CachedRows.prototype, "append");
  let release = (): void => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  reading.mockImplementation(async function (this: CachedRows, ...rows) {
    if (reading.mock.calls.length > times) await released;
    return read.apply(this, rows);
  });
  return () => {
    reading.mockRestore();
    release();
  };
}

it("draws what the queue holds into store and gallery, and goes on with another's draft", async () => {
  const size = { width: 64, height: 64 };
  const request = requestOf({
    native: size,
    asked: size,
    settings: { steps: 1, cfg: 2 },
    count: 2,
    previews: 1,
  });
  const submit = (change: Partial<typeof request> = {}) =>
    queue.submit({ request: { ...request, ...change }, model: "tiny", owner: null, idempotency: null });
  const { id } = await submit();
  // The queue tells of rows some time after they were drawn: held in the third of four, the drawing does not end before that.
  const release = holdDrawing(11);
  const first = startWorker("first");
  await until(id, ({ progress }) => (progress?.rows ?? 0) >= 2);
  const left = first[Symbol.asyncDispose]();
  release();
  await left;
  expect(await queue.get(id)).toMatchObject({ status: "queued", attempts: 1 });
  expect((await store.drafts.get(id)) === undefined).toBe(false);

  await using _second = startWorker("second");
  const done = await until(id, ({ status }) => status === "finished");
  expect(done).toMatchObject({ attempts: 2, usage: { outputTokens: 32 } });
  // It goes behind the job's end.
  await vi.waitFor(async () => expect((await store.drafts.get(id)) === undefined).toBe(true), 20_000);
  const entries = await queue.gallery.list({ limit: 10 });
  expect(entries.map((entry) => entry.job)).toEqual([id, id]);
  await using model = await openTiny();
  const alone = await model.draw(request.prompt, { ...request.settings, size, seed: 1, count: 2 });
  for (const [index, picture] of alone.entries()) {
    const entry = await queue.gallery.get(done.pictures[index] as string);
    expect(entry?.recipe.seed).toBe(1 + index);
    expect(floatsOf((await store.get(entry?.tokens as string)) as Uint8Array)).toEqual(picture.tokens);
    expect(await store.get(entry?.blob as string)).toHaveLength(entry?.bytes as number);
  }

  // A picture of the gallery is gone on with from a row; one that is cancelled leaves its place.
  const releaseCancelled = holdDrawing(1);
  const cancelled = await submit();
  await until(cancelled.id, ({ status }) => status === "drawing");
  await queue.cancel(cancelled.id);
  releaseCancelled();
  const ground = { kind: "rows", picture: done.pictures[0] as string, rows: 3 } as const;
  const rewound = await submit({ prompt: "fog", count: 1, ground });
  const again = await until(rewound.id, ({ status }) => status === "finished");
  const entry = await queue.gallery.get(again.pictures[0] as string);
  const tokens = floatsOf((await store.get(entry?.tokens as string)) as Uint8Array);
  const kept = 3 * 4 * 64;
  expect(tokens.subarray(0, kept)).toEqual(alone[0]?.tokens.subarray(0, kept));
  expect(tokens.subarray(kept)).not.toEqual(alone[0]?.tokens.subarray(kept));
  expect((await queue.get(cancelled.id))?.status).toBe("cancelled");
});
