/** @file What holds for the queue on every database: run with the embedded one in `npm test`, and with a server. */
import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { InputError, UnsupportedError } from "../../errors.ts";
import { ENDED, type JobRecord } from "../contract/job.ts";
import type { ClaimedJob } from "../contract/job-queue.ts";
import { IdempotencyError, QueueFullError } from "../contract/serve-error.ts";
import { BlobSweep } from "./blob-sweep.ts";
import type { Database } from "./database.ts";
import { Housekeeping } from "./housekeeping.ts";
import { takeBackLost } from "./job-states.ts";
import { type OpenQueue, type QueueOptions, startQueue } from "./open-queue.ts";
import { QueueCore } from "./queue-core.ts";
import { BOSS_SCHEMA, migrate, SCHEMA } from "./schema.ts";
import { MODEL, progressAt, testJob, testPicture, testRequest, USAGE } from "./test-jobs.ts";
import { MemoryStore } from "./test-memory-store.ts";

const FOREVER = new AbortController().signal;
const HOUR = 3600;
/** An embedded database is made in some seconds, on a busy machine in many. */
const OPEN_MS = 120_000;

/** @param jobs of the test that has several workers take many. */
export function queueSuite(name: string, open: () => Promise<Database>, jobs: number): void {
  describe(`the queue on ${name}`, () => {
    let database: Database;
    let store: MemoryStore;
    const queues: OpenQueue[] = [];
    const cores: QueueCore[] = [];

    beforeAll(async () => {
      database = await open();
      await migrate(database);
    }, OPEN_MS);
    afterAll(async () => {
      await database[Symbol.asyncDispose]();
    });
    beforeEach(() => {
      store = new MemoryStore();
    });
    afterEach(async () => {
      for (const core of cores.splice(0)) await core[Symbol.asyncDispose]();
      for (const queue of queues.splice(0)) await queue[Symbol.asyncDispose]();
      expect(await contradictions(database)).toEqual([]);
      await database.script(
        `TRUNCATE ${SCHEMA}.job, ${SCHEMA}.picture, ${SCHEMA}.chore CASCADE; DELETE FROM ${BOSS_SCHEMA}.job`,
      );
    });

    /** On the one database, which stays open. */
    async function openQueue(options: Partial<QueueOptions> = {}): Promise<OpenQueue> {
      const queue = await startQueue(kept(database), { blobs: store, maxQueued: 1000, ...options });
      queues.push(queue);
      return queue;
    }

    async function openCore(): Promise<QueueCore> {
      const core = await QueueCore.start(kept(database), store);
      cores.push(core);
      return core;
    }

    async function claim(queue: OpenQueue, worker = "worker"): Promise<ClaimedJob> {
      const claimed = await queue.desk.claim(worker, MODEL);
      if (claimed === undefined) throw new Error("nothing to claim");
      return claimed;
    }

    async function finish(claimed: ClaimedJob, text = "picture"): Promise<void> {
      const blob = await store.put(new TextEncoder().encode(text));
      expect(await claimed.finish([testPicture(0, blob)], USAGE)).toHaveLength(1);
    }

    test("a job goes from request to picture", async () => {
      const queue = await openQueue();
      const job = testJob("zero \0, half a pair \ud83d, \"quotes\" and 'quotes'", { owner: "key" });
      const submitted = await queue.submit(job);
      expect(submitted).toMatchObject({ status: "queued", position: 0, owner: "key", attempts: 0 });
      expect(submitted.request).toEqual(job.request);
      const claimed = await claim(queue);
      expect(claimed.record).toMatchObject({
        id: submitted.id,
        status: "drawing",
        attempts: 1,
        position: null,
      });
      expect(await queue.counts()).toEqual({ queued: 0, drawing: 1 });
      const blobs = await Promise.all(["a", "b"].map((text) => store.put(new TextEncoder().encode(text))));
      const entries = await claimed.finish(
        blobs.map((blob, index) => testPicture(index, blob)),
        USAGE,
      );
      expect(entries.map(({ index }) => index)).toEqual([0, 1]);
      expect(entries[0]).toMatchObject({ ...testPicture(0, blobs[0]!), owner: "key", request: job.request });
      const ended = await queue.get(submitted.id);
      expect(ended).toMatchObject({
        status: "finished",
        usage: USAGE,
        pictures: entries.map(({ id }) => id),
      });
      expect(ended?.started).toBeGreaterThanOrEqual(ended!.created);
      expect(ended?.ended).toBeGreaterThanOrEqual(ended!.started!);
      expect(await queue.gallery.get(entries[0]!.id)).toEqual(entries[0]);
      expect(await queue.counts()).toEqual({ queued: 0, drawing: 0 });
    });

    test("first come, first served, each model by itself", async () => {
      const queue = await openQueue();
      const ids = [];
      for (const model of [MODEL, "other", MODEL, MODEL]) {
        ids.push((await queue.submit(testJob("x", { model }))).id);
      }
      const positions = await Promise.all(ids.map(async (id) => (await queue.get(id))?.position));
      expect(positions).toEqual([0, 0, 1, 2]);
      expect((await claim(queue)).record.id).toBe(ids[0]);
      expect((await queue.desk.claim("worker", "other"))?.record.id).toBe(ids[1]);
      expect((await claim(queue)).record.id).toBe(ids[2]);
      expect(await queue.desk.claim("worker", "other")).toBeUndefined();
      expect((await queue.get(ids[3]!))?.position).toBe(0);
    });

    test("a key stands for one request", async () => {
      const queue = await openQueue({ maxQueued: 1 });
      const idempotency = { key: "k", digest: "d" };
      const first = await queue.submit(testJob("a", { idempotency }));
      // Also at once, and when the queue is full.
      const again = await Promise.all([1, 2, 3].map(() => queue.submit(testJob("a", { idempotency }))));
      expect(new Set(again.map(({ id }) => id))).toEqual(new Set([first.id]));
      await expect(queue.submit(testJob("b", { idempotency: { key: "k", digest: "e" } }))).rejects.toThrow(
        IdempotencyError,
      );
      await queue.cancel(first.id);
      expect((await queue.submit(testJob("a", { idempotency }))).status).toBe("cancelled");
      // Another owner's key is another key.
      expect((await queue.submit(testJob("a", { idempotency, owner: "other" }))).id).not.toBe(first.id);
      await expect(queue.submit(testJob("a", { idempotency: { key: "\0", digest: "d" } }))).rejects.toThrow(
        InputError,
      );
    });

    test("as many wait as may, and no more", async () => {
      const queue = await openQueue({ maxQueued: 3 });
      const results = await Promise.allSettled(Array.from({ length: 8 }, () => queue.submit(testJob())));
      const refused = results.flatMap((result) => (result.status === "rejected" ? [result.reason] : []));
      expect(refused).toHaveLength(5);
      for (const error of refused) {
        expect(error).toBeInstanceOf(QueueFullError);
        expect((error as QueueFullError).retryAfter).toBeGreaterThan(0);
      }
      await claim(queue);
      await queue.submit(testJob());
      await expect(queue.submit(testJob())).rejects.toThrow(QueueFullError);
    });

    test("jobs that wait are moved", async () => {
      const queue = await openQueue();
      const ids: string[] = [];
      for (const prompt of ["a", "b", "c", "d"]) ids.push((await queue.submit(testJob(prompt))).id);
      const [a, b, c, d] = ids as [string, string, string, string];
      const held = await claim(queue);
      expect((await queue.move(d, b))?.position).toBe(0);
      expect((await queue.move(b, null))?.position).toBe(2);
      expect((await queue.move(c, c))?.position).toBe(1);
      for (const before of [a, "nothing", randomUUID()]) expect(await queue.move(c, before)).toBeUndefined();
      for (const id of [a, "nothing", randomUUID()]) expect(await queue.move(id, null)).toBeUndefined();
      // What was begun is in front of all of them.
      await held.release();
      const order = [];
      for (let i = 0; i < 4; i++) order.push((await claim(queue)).record.id);
      expect(order).toEqual([a, d, c, b]);
    });

    test("a job is cancelled at any moment", async () => {
      const queue = await openQueue();
      const [waiting, drawn] = [await queue.submit(testJob()), await queue.submit(testJob())];
      expect(await queue.cancel(waiting.id)).toMatchObject({ status: "cancelled", position: null });
      const claimed = await claim(queue);
      await store.drafts.put(drawn.id, new Uint8Array(1));
      expect(await queue.cancel(drawn.id)).toMatchObject({ status: "cancelled" });
      expect(claimed.signal.aborted).toBe(true);
      expect(store.draftFiles.size).toBe(0);
      // Its worker knows nothing of it yet.
      claimed.progress(progressAt(3));
      await claimed.preview({ number: 1, rows: 1, blobs: [] });
      expect(await claimed.finish([testPicture(0, "0".repeat(64))], USAGE)).toEqual([]);
      await claimed.fail({ status: 500, message: "x", code: null, param: null });
      await claimed.release();
      expect(await queue.get(drawn.id)).toMatchObject({ status: "cancelled", pictures: [], fault: null });
      expect(await queue.cancel(drawn.id)).toMatchObject({ status: "cancelled" });
      expect(await queue.cancel("no id")).toBeUndefined();
      expect(await queue.gallery.count()).toBe(0);
    });

    test("of two who believe that they hold a job, one finishes it", async () => {
      const queue = await openQueue();
      const { id } = await queue.submit(testJob());
      const first = await claim(queue, "first");
      const core = await openCore();
      await core.change((change) => takeBackLost(change));
      expect(await queue.get(id)).toMatchObject({ status: "queued", position: 0 });
      const second = await claim(queue, "second");
      const blob = await store.put(new Uint8Array([1]));
      const [late, right] = await Promise.all([
        first.finish([testPicture(0, blob)], USAGE),
        second.finish([testPicture(0, blob)], USAGE),
      ]);
      expect([late.length, right.length]).toEqual([0, 1]);
      expect(await queue.get(id)).toMatchObject({ status: "finished", attempts: 2 });
      expect(await queue.gallery.count()).toBe(1);
      // The answer to it was lost, and it is asked again.
      expect(await second.finish([testPicture(0, blob)], USAGE)).toEqual(right);
    });

    test("a job that ends its worker each time at the same token fails; one that gets further does not", async () => {
      const queue = await openQueue();
      const core = await openCore();
      const { id } = await queue.submit(testJob());
      const lose = async (token?: number): Promise<JobRecord> => {
        const claimed = await claim(queue);
        if (token !== undefined) {
          claimed.progress(progressAt(token));
          await until(async () => (await queue.get(id))?.progress?.token === token);
        }
        await core.change((change) => takeBackLost(change));
        return (await queue.get(id))!;
      };
      const [nothing, same] = [undefined, 16].map((token) => Array.from({ length: 7 }, () => token));
      for (const token of [...nothing!, 8, ...same!]) expect((await lose(token)).status).toBe("queued");
      const failed = await lose(12);
      expect(failed).toMatchObject({ status: "failed", attempts: 16, progress: null });
      expect(failed.fault).toMatchObject({ status: 500, code: "worker_lost" });
    });

    test("those who watch are told of every state until the end", async () => {
      const queue = await openQueue();
      const front = await queue.submit(testJob());
      const { id } = await queue.submit(testJob());
      const seen: JobRecord[] = [];
      const watching = (async () => {
        for await (const record of queue.watch(id, FOREVER)) seen.push(record);
      })();
      const sees = (is: (record: JobRecord) => boolean): Promise<void> =>
        until(async () => seen.length > 0 && is(seen.at(-1)!));
      await sees(({ position }) => position === 1);
      const first = await claim(queue);
      expect(first.record.id).toBe(front.id);
      await sees(({ position }) => position === 0);
      const claimed = await claim(queue);
      await sees(({ status }) => status === "drawing");
      claimed.progress(progressAt(9));
      await sees(({ progress }) => progress?.token === 9);
      await claimed.preview({ number: 1, rows: 1, blobs: [await store.put(new Uint8Array([1]))] });
      await sees(({ preview }) => preview?.number === 1);
      await finish(claimed);
      await watching;
      expect(seen.at(-1)).toMatchObject({ status: "finished", progress: null, preview: null });
      expect(seen.at(-1)?.pictures).toHaveLength(1);
      // One that has ended is told once; one that is not there, not at all.
      expect(await collect(queue.watch(id, FOREVER))).toHaveLength(1);
      expect(await collect(queue.watch(randomUUID(), FOREVER))).toEqual([]);
      expect(await collect(queue.watch("no id", FOREVER))).toEqual([]);
      const leaving = new AbortController();
      const records = queue.watch(front.id, leaving.signal);
      expect((await records.next()).value).toMatchObject({ status: "drawing" });
      leaving.abort();
      expect((await records.next()).done).toBe(true);
    });

    test("a queue that is closed gives back what it holds, and ends those who watch", async () => {
      const queue = await openQueue();
      const { id } = await queue.submit(testJob());
      const claimed = await claim(queue);
      const records = queue.watch(id, FOREVER);
      await records.next();
      await queue[Symbol.asyncDispose]();
      expect(claimed.signal.aborted).toBe(true);
      await expect(records.next()).rejects.toThrow("closed");
      const again = await openQueue();
      expect((await claim(again)).record).toMatchObject({ id, attempts: 2 });
    });

    test("whoever waits for a job is woken by one", async () => {
      const queue = await openQueue();
      expect(await queue.desk.claim("worker", MODEL)).toBeUndefined();
      const waiting = queue.desk.wait(FOREVER);
      await queue.submit(testJob());
      await waiting;
      expect(await queue.desk.claim("worker", MODEL)).toBeDefined();
      const leaving = new AbortController();
      leaving.abort();
      await queue.desk.wait(leaving.signal);
    });

    test("several workers take each job once", async () => {
      const queue = await openQueue();
      const submitted = new Set<string>();
      for (let i = 0; i < jobs; i++) submitted.add((await queue.submit(testJob(`${i}`))).id);
      const drawn: string[] = [];
      const work = async (worker: string): Promise<void> => {
        for (;;) {
          const claimed = await queue.desk.claim(worker, MODEL);
          if (claimed === undefined) return;
          drawn.push(claimed.record.id);
          await finish(claimed, claimed.record.id);
        }
      };
      await Promise.all(["1", "2", "3"].map(work));
      expect(drawn).toHaveLength(jobs);
      expect(new Set(drawn)).toEqual(submitted);
      expect(await queue.gallery.count()).toBe(jobs);
    });

    test("jobs and pictures are listed newest first, in pages, by owner and state", async () => {
      const queue = await openQueue();
      const ids: string[] = [];
      for (let i = 0; i < 5; i++) {
        ids.push((await queue.submit(testJob(`${i}`, { owner: i % 2 === 0 ? "even" : "odd" }))).id);
      }
      for (let i = 0; i < 3; i++) await finish(await claim(queue), `${i}`);
      const list = async (filter: Parameters<OpenQueue["list"]>[0]): Promise<number[]> =>
        (await queue.list(filter)).map(({ id }) => ids.indexOf(id));
      expect(await list({ limit: 3 })).toEqual([4, 3, 2]);
      expect(await list({ limit: 3, before: ids[2]! })).toEqual([1, 0]);
      expect(await list({ limit: 9, owner: "odd" })).toEqual([3, 1]);
      expect(await list({ limit: 9, statuses: ["queued", "drawing"] })).toEqual([4, 3]);
      expect(await list({ limit: 9, statuses: [...ENDED], owner: "even" })).toEqual([2, 0]);
      expect(await list({ limit: 9, before: "' OR true --" })).toEqual([]);
      const { gallery } = queue;
      const all = await gallery.list({ limit: 9 });
      expect(all.map(({ job }) => ids.indexOf(job))).toEqual([2, 1, 0]);
      expect(await gallery.list({ limit: 1, before: all[0]!.id })).toEqual([all[1]]);
      expect(await gallery.list({ limit: 9, owner: "odd" })).toEqual([all[1]]);
      expect(await gallery.find(all[1]!.blob)).toEqual(all[1]);
      expect(await gallery.find(all[1]!.blob, "even")).toBeUndefined();
      expect(await gallery.find(all[1]!.blob, null)).toBeUndefined();
      expect(await gallery.get("' OR true --")).toBeUndefined();
    });

    test("a picture takes its files with it when nothing else names them", async () => {
      const { gallery, ...queue } = await openGallery();
      const shared = await store.put(new Uint8Array([1]));
      const own = await store.put(new Uint8Array([2]));
      const source = await store.put(new Uint8Array([3]));
      const request = testRequest("x", { task: "edit", images: [source], readImages: true });
      await queue.draw([testPicture(0, shared), testPicture(1, shared, { thumbnail: own })], request);
      const [second, first] = await gallery.list({ limit: 2 });
      // Young files stay: somebody may have stored the same again and be about to name it.
      store.age(2 * HOUR);
      expect(await gallery.remove(second!.id)).toBe(true);
      expect([...store.files.keys()]).toEqual([shared, source]);
      expect(await gallery.remove(second!.id)).toBe(false);
      await store.put(new Uint8Array([1]));
      expect(await gallery.remove(first!.id)).toBe(true);
      // The job that is remembered names its source.
      expect([...store.files.keys()]).toEqual([shared, source]);
      expect(await gallery.remove("no id")).toBe(false);
    });

    test("the gallery keeps what the bounds allow", async () => {
      const { gallery, ...queue } = await openGallery();
      const blobs: string[] = [];
      for (let i = 0; i < 4; i++) {
        blobs.push(await store.put(new Uint8Array([i])));
        await queue.draw([testPicture(0, blobs[i]!, { bytes: 100 })]);
      }
      store.age(2 * HOUR);
      expect(await gallery.sweep({})).toBe(0);
      expect(await gallery.sweep({ bytes: 399, seconds: HOUR })).toBe(1);
      expect(await gallery.sweep({ bytes: 250 })).toBe(1);
      expect((await gallery.list({ limit: 9 })).map(({ blob }) => blob)).toEqual([blobs[3], blobs[2]]);
      expect([...store.files.keys()]).toEqual([blobs[2], blobs[3]]);
      await database.query(
        `UPDATE ${SCHEMA}.picture SET created = created - interval '2 hours' WHERE blob = $1`,
        [blobs[2]!],
      );
      expect(await gallery.sweep({ seconds: HOUR })).toBe(1);
      expect(await gallery.count()).toBe(1);
    });

    test("what nothing names is swept, when it is old", async () => {
      const queue = await openQueue();
      const core = await openCore();
      const sweep = new BlobSweep(core);
      const put = (text: string): Promise<string> => store.put(new TextEncoder().encode(text));
      const [orphan, source, mask] = [await put("orphan"), await put("source"), await put("mask")];
      const ground = { kind: "mask", mask, opens: "white" } as const;
      const { id } = await queue.submit({
        ...testJob(),
        request: testRequest("x", { images: [source], ground }),
      });
      await sweep.sweepAll(FOREVER);
      expect(store.files.has(orphan)).toBe(true);
      store.age(2 * HOUR);
      const claimed = await claim(queue);
      const [first, second] = [await put("look 1"), await put("look 2")];
      const early = await put("the first picture of a job that takes hours");
      await claimed.preview({ number: 1, rows: 1, blobs: [first] });
      await claimed.preview({ number: 2, rows: 2, blobs: [second] });
      await store.drafts.put(id, new Uint8Array(1));
      await store.drafts.put(randomUUID(), new Uint8Array(1));
      await database.query(`UPDATE ${SCHEMA}.job SET started = started - interval '2 hours'`);
      store.age(1.5 * HOUR);
      await sweep.sweepAll(FOREVER);
      expect([...store.files.keys()]).toEqual([source, mask, first, second, early]);
      expect([...store.draftFiles.keys()]).toEqual([id]);
      // Looks go some time after they were replaced.
      await sweep.sweepLooks();
      expect(store.files.has(first)).toBe(true);
      await database.query(`UPDATE ${SCHEMA}.blob_use SET dropped = dropped - interval '2 minutes'`);
      await sweep.sweepLooks();
      expect(store.files.has(first)).toBe(false);
      expect(store.files.has(second)).toBe(true);
      await claimed.finish([testPicture(0, early)], USAGE);
      expect(store.draftFiles.size).toBe(0);
      await database.query(`UPDATE ${SCHEMA}.blob_use SET dropped = dropped - interval '2 minutes'`);
      await sweep.sweepLooks();
      expect([...store.files.keys()]).toEqual([source, mask, early]);
    });

    test("jobs that have ended are forgotten; pictures and jobs that have not ended stay", async () => {
      const queue = await openQueue();
      const ids: string[] = [];
      for (let i = 0; i < 3; i++) ids.push((await queue.submit(testJob())).id);
      await finish(await claim(queue));
      await queue.cancel(ids[1]!);
      await database.query(`UPDATE ${SCHEMA}.job SET created = created - interval '9 days',
        ended = ended - interval '9 days'`);
      const core = await openCore();
      const sweep = new BlobSweep(core);
      const faults: unknown[] = [];
      await using housekeeping = new Housekeeping(core, queue.gallery, sweep, {
        leaseSeconds: 20,
        keepEndedSeconds: 8 * 24 * HOUR,
        retention: {},
        onFault: (error) => faults.push(error),
      });
      await housekeeping.forgetEnded();
      expect((await queue.list({ limit: 9 })).map(({ id }) => id)).toEqual([ids[2]]);
      expect(await queue.gallery.count()).toBe(1);
      expect(faults).toEqual([]);
    });

    test("tables of a newer program are refused", async () => {
      await database.query(`UPDATE ${SCHEMA}.version SET version = version + 1`);
      await expect(openQueue()).rejects.toThrow(UnsupportedError);
      await database.query(`UPDATE ${SCHEMA}.version SET version = version - 1`);
      await openQueue();
      await database.query(`UPDATE ${BOSS_SCHEMA}.version SET version = version + 1`);
      await expect(openQueue()).rejects.toThrow("pg-boss has version");
      await database.query(`UPDATE ${BOSS_SCHEMA}.version SET version = version - 1`);
    });

    async function openGallery() {
      const queue = await openQueue();
      return {
        gallery: queue.gallery,
        async draw(pictures: Parameters<ClaimedJob["finish"]>[0], request = testRequest()): Promise<void> {
          await queue.submit({ ...testJob(), request });
          expect(await (await claim(queue)).finish(pictures, USAGE)).toHaveLength(pictures.length);
        },
      };
    }
  });
}

/** The database as an owner sees it who may not close it. */
function kept(database: Database): Database {
  return {
    isShared: database.isShared,
    name: database.name,
    query: (text, values) => database.query(text, values),
    script: (text) => database.script(text),
    transaction: (durability, work) => database.transaction(durability, work),
    listen: (channel, onNotice) => database.listen(channel, onNotice),
    tidy: () => database.tidy(),
    async [Symbol.asyncDispose]() {},
  };
}

/** Jobs of which pg-boss believes something else than we do. */
async function contradictions(database: Database): Promise<readonly object[]> {
  return database.query(
    `SELECT job.status, boss.state::text FROM ${SCHEMA}.job AS job
     FULL JOIN ${BOSS_SCHEMA}.job AS boss ON boss.id = job.id
     WHERE coalesce(job.status, 'none') || ' ' || coalesce(boss.state::text, 'none') NOT IN
       ('queued created', 'queued retry', 'drawing active', 'finished none', 'failed none', 'cancelled none')`,
  );
}

async function collect(records: AsyncGenerator<JobRecord>): Promise<JobRecord[]> {
  const all: JobRecord[] = [];
  for await (const record of records) all.push(record);
  return all;
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 10));
}
