import sharp from "sharp";
import { afterAll, afterEach, beforeAll, describe, expect, it, type MockInstance, vi } from "vitest";
import { EngineError, InsufficientMemoryError } from "../../errors.ts";
import { nodeZlib } from "../../files/zlib.ts";
import { decodeExif } from "../../formats/exif.ts";
import { findPngText, readPngTexts } from "../../formats/png-text.ts";
import { CachedRows } from "../../generate/cached-rows.ts";
import { encodeJob } from "../../generate/job-format.ts";
import { Model } from "../../generate/model.ts";
import type { OpenOptions } from "../../generate/open-options.ts";
import { parseRecipe } from "../../generate/recipe.ts";
import { testModelPath } from "../../generate/test-models.ts";
import { nodePlatform } from "../../node/platform.ts";
import { floatsOf } from "../../tensor/float-bytes.ts";
import type { DrawRequest } from "../contract/draw-request.ts";
import { type DeskJob, MemoryBlobs, MemoryDesk, requestOf } from "./test-rooms.ts";
import { createWorker, type Worker, type WorkerEvent } from "./worker.ts";

// Each opens models, which takes its time on a machine that is busy.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

const px = (width: number, height: number) => ({ width, height });
const openTiny = (options: OpenOptions = {}): Promise<Model> =>
  Model.open(nodePlatform, testModelPath("v1.1"), { threads: 1, ...options });

/** Draws for workers, whose end it outlives, and the same alone. */
let reference: Model;
let closing: MockInstance<Model["close"]>;
let desk: MemoryDesk;
let blobs: MemoryBlobs;
let events: WorkerEvent[];
const workers: Worker[] = [];
beforeAll(async () => {
  reference = await openTiny();
  closing = vi.spyOn(reference, "close").mockResolvedValue();
});
afterAll(async () => {
  closing.mockRestore();
  await reference.close();
});
afterEach(async () => {
  for (const worker of workers.splice(0)) await worker[Symbol.asyncDispose]();
});

function startWorker(open = async (): Promise<Model> => reference, maxBatch = 8): Worker {
  const worker = createWorker({
    name: "worker",
    model: "test",
    open,
    desk,
    blobs,
    gallery: desk,
    maxBatch,
    onEvent: (event) => events.push(event),
  });
  workers.push(worker);
  return worker;
}

function freshRooms(): void {
  blobs = new MemoryBlobs();
  desk = new MemoryDesk(blobs);
  events = [];
}

async function finished(job: DeskJob): Promise<DeskJob> {
  await desk.until(job);
  expect(job.fault).toBeUndefined();
  expect(job.status).toBe("finished");
  return job;
}

const tokensOf = async (job: DeskJob): Promise<Float32Array[]> =>
  Promise.all(job.pictures.map(async ({ tokens }) => floatsOf((await blobs.get(tokens)) as Uint8Array)));

async function tokensAlone({ prompt, count, seed, native, settings }: DrawRequest): Promise<Float32Array[]> {
  const pictures = await reference.draw(prompt, { ...settings, count, seed, size: native });
  return pictures.map(({ tokens }) => tokens);
}

const fileOf = async (blob: string): Promise<Uint8Array> => (await blobs.get(blob)) as Uint8Array;
const pixelsOf = async (blob: string): Promise<Uint8Array> =>
  new Uint8Array(
    await sharp(await fileOf(blob))
      .removeAlpha()
      .raw()
      .toBuffer(),
  );

describe("a worker", () => {
  it("draws to the bits of the library, in the size asked for, and says what it drew", async () => {
    freshRooms();
    startWorker();
    const request = requestOf({ native: px(48, 32), asked: px(150, 100), count: 2, previews: 3 });
    const job = await finished(desk.submit(request));
    expect(await tokensOf(job)).toEqual(await tokensAlone(request));
    expect(job.usage).toMatchObject({ inputImageTokens: 0, outputTokens: 12 });
    expect(job.usage?.textTokens).toBeGreaterThan(0);
    const [first] = job.pictures;
    const file = await fileOf(first?.blob as string);
    expect(await sharp(file).metadata()).toMatchObject({ format: "png", width: 150, height: 100 });
    expect(first).toMatchObject({ index: 0, width: 150, height: 100, bytes: file.length });
    expect(first?.notes[0]?.text).toContain("drawn in 48 x 32");
    const texts = await readPngTexts(file, nodeZlib);
    expect(findPngText(texts, "parameters")).toMatch(/Size: 150x100, Native size: 48x32/);
    const recipe = parseRecipe(findPngText(texts, "nextstep") as string, "file");
    expect(recipe).toEqual(first?.recipe);
    const again = await reference.again(recipe).pictures();
    expect(again[0]?.tokens).toEqual((await tokensOf(job))[0]);
    expect(await sharp(await fileOf(first?.thumbnail as string)).metadata()).toMatchObject({
      format: "webp",
    });
    expect(job.progress.at(-1)).toMatchObject({ token: 6, of: 6, rows: 2, ofRows: 2, secondsLeft: 0 });
    // Two rows of tokens have one look between them.
    expect(job.previews.map(({ number, rows }) => [number, rows])).toEqual([[1, 1]]);
    expect(job.previews[0]?.blobs).toHaveLength(2);
    const look = await pixelsOf(job.previews[0]?.blobs[0] as string);
    expect(look).toHaveLength(150 * 100 * 3);
    expect(look.at(-1)).toBe(128);
    expect(blobs.heldDrafts.size).toBe(0);
  });

  it("takes in all for whom there is room, without waiting for those that are drawn", async () => {
    freshRooms();
    startWorker();
    const jobs = Array.from({ length: 6 }, (_, seed) =>
      desk.submit(requestOf({ seed, native: px(128, 128), settings: { steps: 2, cfg: 1 } })),
    );
    await Promise.all(jobs.map(finished));
    const kinds = events.map(({ kind }) => kind);
    expect(kinds.indexOf("finished")).toBe(6);
  });

  it("saves each row of what was begun before", async () => {
    freshRooms();
    const saving = vi.spyOn(blobs.drafts, "put");
    const job = desk.submit(requestOf({ native: px(32, 96) }));
    job.attempts = 1;
    startWorker();
    await finished(job);
    expect(saving.mock.calls.length).toBeGreaterThan(1);
  });

  it("looks evenly, or at each row", async () => {
    freshRooms();
    startWorker();
    const tall = { native: px(16, 128), asked: px(16, 128), settings: { steps: 1, cfg: 1 } };
    const three = desk.submit(requestOf({ ...tall, previews: 3 }));
    const each = desk.submit(requestOf({ ...tall, previews: "rows" }));
    await Promise.all([finished(three), finished(each)]);
    expect(three.previews.map(({ rows }) => rows)).toEqual([2, 4, 6]);
    const rows = each.previews.map((preview) => preview.rows);
    expect(rows.length).toBeGreaterThan(0);
    expect(rows).toEqual([...rows].sort((a, b) => a - b));
    expect(each.previews.map(({ number }) => number)).toEqual(rows.map((_, index) => index + 1));
  });

  it("draws each as if it were alone, whatever comes beside it, and reads a prompt once", async () => {
    freshRooms();
    const requests = [
      requestOf({ settings: { steps: 3, cfg: 2 } }),
      requestOf({ native: px(64, 32), asked: px(64, 32), settings: { steps: 4, cfg: 1, sampler: "ode" } }),
      requestOf({ prompt: "fog", seed: 9, native: px(16, 80), asked: px(16, 80), count: 2 }),
      requestOf({ settings: { steps: 3, cfg: 2 } }),
      requestOf({ settings: { steps: 2, cfg: 3, sampler: "v1" }, seed: 5 }),
      requestOf({ settings: { steps: 6, cfg: 2, lastSteps: 2, cfgUntil: 0.5 } }),
      requestOf({ native: px(64, 64), asked: px(64, 64), settings: { steps: 2, cfg: 2, rowLag: 2 } }),
    ];
    const expected = [];
    for (const request of requests) expected.push(await tokensAlone(request));
    const appended = vi.spyOn(CachedRows.prototype, "append");
    const jobs = requests.map((request) => desk.submit(request));
    // One that has read nothing yet.
    startWorker(openTiny);
    for (const [index, job] of jobs.entries()) {
      await finished(job);
      expect(await tokensOf(job)).toEqual(expected[index]);
    }
    const prompts = appended.mock.calls
      .flatMap(([rows]) => rows)
      .filter(({ ids, images = [] }) => ids.length > 1 && images.length === 0)
      .map(({ ids }) => ids.join());
    appended.mockRestore();
    expect(prompts.length).toBeGreaterThan(3);
    expect(new Set(prompts).size).toBe(prompts.length);
  });

  it("answers JPEG and WebP with the recipe in them", async () => {
    freshRooms();
    startWorker();
    for (const format of ["jpeg", "webp"] as const) {
      const job = await finished(desk.submit(requestOf({ prompt: "régn", output: { format, quality: 80 } })));
      const metadata = await sharp(await fileOf(job.pictures[0]?.blob as string)).metadata();
      expect(metadata.format).toBe(format);
      const { comment, description } = decodeExif(metadata.exif ?? new Uint8Array());
      expect(comment).toMatch(/^régn\n.*\nSteps: 2, Sampler: /);
      expect(parseRecipe(description ?? "", "exif")).toEqual(job.pictures[0]?.recipe);
      expect(metadata.xmpAsString).toContain("trainedAlgorithmicMedia");
    }
  });
});

describe("a worker that is stopped", () => {
  /** Many small tokens. */
  const long = requestOf({
    native: px(96, 96),
    asked: px(96, 96),
    settings: { steps: 1, cfg: 2 },
    previews: 2,
  });

  it("parks what is not finished, and its successor goes on to the same bits", async () => {
    freshRooms();
    const job = desk.submit(long);
    const first = startWorker();
    await desk.until(job, ({ progress }) => (progress.at(-1)?.rows ?? 0) >= 3);
    await first.drain(AbortSignal.abort());
    expect(job.status).toBe("queued");
    expect(blobs.heldDrafts.has(job.id)).toBe(true);
    const reached = job.progress.at(-1)?.token ?? 0;
    const from = job.progress.length;
    startWorker();
    await finished(job);
    expect(job.attempts).toBe(2);
    expect(job.progress[from]?.token).toBeGreaterThan(reached);
    expect(await tokensOf(job)).toEqual(await tokensAlone(long));
    expect(job.previews.map(({ number }) => number)).toEqual([1, 2]);
    expect(blobs.heldDrafts.size).toBe(0);
  });

  it("finishes what it has within the time it is given", async () => {
    freshRooms();
    const job = desk.submit(requestOf());
    const waiting = desk.submit(requestOf());
    const worker = startWorker(undefined, 1);
    await desk.until(job, ({ status }) => status === "drawing");
    await worker.drain(new AbortController().signal);
    expect([job.status, waiting.status]).toEqual(["finished", "queued"]);
    expect(worker.jobs).toBe(0);
  });

  it("begins anew, and says so, where a draft is damaged or another model's", async () => {
    freshRooms();
    const other = requestOf({ prompt: "fog" });
    const drawing = reference.start("fog", { ...other.settings, seed: 1, size: other.native });
    const foreign = await drawing.job();
    await drawing.pictures();
    const recipe = { ...(foreign.pictures[0]?.recipe as object), modelDigest: "0".repeat(64) };
    const pictures = [{ ...foreign.pictures[0], recipe }] as unknown as typeof foreign.pictures;
    const jobs = [requestOf(), requestOf({ seed: 2 })].map((request) => desk.submit(request));
    blobs.heldDrafts.set(jobs[0]?.id as string, Uint8Array.of(1, 2, 3));
    blobs.heldDrafts.set(jobs[1]?.id as string, encodeJob({ job: { ...foreign, pictures } }));
    startWorker();
    for (const job of jobs) {
      await finished(job);
      expect(await tokensOf(job)).toEqual(await tokensAlone(job.request));
    }
    expect(events.filter(({ kind }) => kind === "draft dropped")).toHaveLength(2);
  });
});

describe("faults of a job", () => {
  const long = requestOf({ native: px(64, 64), asked: px(64, 64), settings: { steps: 1, cfg: 2 } });

  it("leave the worker and the others as they are", async () => {
    freshRooms();
    startWorker();
    const stays = desk.submit(long);
    const wild = desk.submit(requestOf({ settings: { steps: 2, cfg: 1000 } }));
    const missing = desk.submit(requestOf({ images: ["0".repeat(64)], readImages: true }));
    const blob = await blobs.put(new TextEncoder().encode("no picture"));
    const noPicture = desk.submit(requestOf({ images: [blob], readImages: true }));
    for (const job of [wild, missing, noPicture]) await desk.until(job);
    expect(wild.fault).toMatchObject({ status: 400, param: "cfg" });
    expect(missing.fault).toMatchObject({ status: 400, param: "images[0]" });
    expect(noPicture.fault).toMatchObject({ status: 400, code: "invalid_image", param: "images[0]" });
    await finished(stays);
    expect(await tokensOf(stays)).toEqual(await tokensAlone(long));
  });

  it("that is cancelled is left within a token, and its place is free", async () => {
    freshRooms();
    const worker = startWorker(undefined, 1);
    const job = desk.submit(long);
    const next = desk.submit(requestOf());
    await desk.until(job, ({ progress }) => progress.length >= 3);
    const drawn = job.progress.length;
    desk.cancel(job);
    await finished(next);
    expect(job.progress.length).toBeLessThanOrEqual(drawn + 1);
    expect(job.status).toBe("cancelled");
    await worker.drain(new AbortController().signal);
    expect(worker.jobs).toBe(0);
    expect(events.map(({ kind }) => kind)).toContain("left");
  });

  it("that break the engine: the model is opened anew, and everybody goes on to the same bits", async () => {
    freshRooms();
    const opened: Model[] = [];
    startWorker(async () => {
      const model = await openTiny();
      opened.push(model);
      return model;
    });
    // Still drawn when the second is.
    const longer = { ...long, native: px(96, 96), asked: px(96, 96) };
    const jobs = [desk.submit(longer), desk.submit({ ...long, seed: 7 })];
    await desk.until(jobs[1] as DeskJob, ({ progress }) => progress.length >= 6);
    const dead = new EngineError("ended before its work was done", { where: "engine thread" });
    vi.spyOn(opened[0] as Model, "answers").mockResolvedValue(false);
    vi.spyOn(CachedRows.prototype, "append").mockRejectedValueOnce(dead);
    for (const job of jobs) {
      await finished(job);
      expect(await tokensOf(job)).toEqual(await tokensAlone(job.request));
    }
    expect(opened).toHaveLength(2);
    expect(events.filter(({ kind }) => kind === "model reopened")).toHaveLength(2);
    await expect(opened[0]?.draw("rain")).rejects.toThrow("was closed");
  });

  it("that leave the engine whole end the job alone", async () => {
    freshRooms();
    startWorker();
    const job = desk.submit(long);
    await desk.until(job, ({ progress }) => progress.length >= 3);
    vi.spyOn(CachedRows.prototype, "append").mockRejectedValueOnce(
      new EngineError("broke", { where: "run" }),
    );
    await desk.until(job);
    expect(job.fault).toEqual({
      status: 500,
      message: "The server had an error while drawing. broke.",
      code: "server_error",
      param: null,
    });
    await finished(desk.submit(requestOf()));
  });

  it("of memory beside others wait for these; alone they are the job's", async () => {
    freshRooms();
    const start = reference.start.bind(reference);
    const needed = { needed: 2, available: 1 };
    const short = new InsufficientMemoryError("too large", needed);
    const starting = vi.spyOn(reference, "start").mockImplementation((prompt, options) => {
      // As the real check: beside others there is no room for it.
      const refuses = prompt === "huge" || (prompt === "large" && desk.jobs[0]?.status === "drawing");
      if (!refuses) return start(prompt, options);
      const drawing = start(prompt, options);
      return Object.assign(Object.create(drawing), {
        counts: () => Promise.reject(short),
        job: () => Promise.reject(short),
      });
    });
    startWorker();
    const first = desk.submit(long);
    const large = desk.submit(requestOf({ prompt: "large" }));
    await finished(large);
    expect(first.status).toBe("finished");
    expect(events.filter(({ kind }) => kind === "waiting for memory")).toHaveLength(1);
    const huge = desk.submit(requestOf({ prompt: "huge" }));
    await desk.until(huge);
    expect(huge.fault).toMatchObject({ status: 400, code: "insufficient_memory" });
    starting.mockRestore();
  });
});
