/**
 * @file Benchmark of the server's worker: so many jobs in hand at any time, each asked for when one has ended, drawn through
 * queue and store in memory. What a door and a database add to a job does not depend on how long it is drawn.
 */
import type { Model } from "../src/generate/model.ts";
import type { DrawRequest, PixelSize } from "../src/serve/contract/draw-request.ts";
import { ENDED } from "../src/serve/contract/job.ts";
import { type DeskJob, MemoryBlobs, MemoryDesk } from "../src/serve/draw/test-rooms.ts";
import { createWorker } from "../src/serve/draw/worker.ts";
import { type Machine, machine } from "./measure.ts";

/** Jobs at once, in the order in which they are measured. */
const LEVELS = [1, 2, 4, 8, 16] as const;
const LEAST_JOBS = 4;

export interface ServeSizes {
  readonly native: PixelSize;
  readonly asked: PixelSize;
  readonly steps: number;
  /** Jobs of a level: as many a place, and four at least. */
  readonly jobsEach: number;
}

interface Percentiles {
  readonly p50: number;
  readonly p95: number;
}

export interface ServeLevel {
  readonly concurrent: number;
  readonly jobs: number;
  readonly picturesPerMinute: number;
  /** Seconds from a job's submission to its look at half of the rows. */
  readonly firstPartial: Percentiles;
  /** Seconds from a job's submission to its pictures in the store. */
  readonly last: Percentiles;
}

export interface ServeMeasurement {
  readonly name: "serve";
  readonly sizes: Readonly<Record<string, number | string>>;
  readonly levels: readonly ServeLevel[];
  /** Pictures a minute with eight at once, as a multiple of those with one. */
  readonly eightToOne: number;
  /** Milliseconds between two tokens of a picture while four others with long prompts come, one after another. */
  readonly tokenMs: Percentiles & { readonly max: number };
  readonly machine: Machine;
}

/** @param onLevel told of each as it is measured: all of them take minutes */
export async function benchServe(
  open: () => Promise<Model>,
  sizes: ServeSizes,
  onLevel: (level: ServeLevel) => void,
): Promise<ServeMeasurement> {
  const rooms = { desk: new MemoryDesk(), blobs: new MemoryBlobs() };
  await using _worker = createWorker({
    name: "bench",
    model: "bench",
    open,
    ...rooms,
    gallery: rooms.desk,
    maxBatch: Math.max(...LEVELS),
  });
  // Weights are read, and the first runs of each shape are made.
  await runLevel(rooms.desk, sizes, 2, 2);
  const levels: ServeLevel[] = [];
  for (const concurrent of LEVELS) {
    const jobs = Math.max(LEAST_JOBS, sizes.jobsEach * concurrent);
    const level = await runLevel(rooms.desk, sizes, concurrent, jobs);
    onLevel(level);
    levels.push(level);
  }
  const rate = (concurrent: number): number =>
    levels.find((level) => level.concurrent === concurrent)?.picturesPerMinute ?? Number.NaN;
  return {
    name: "serve",
    sizes: { native: text(sizes.native), asked: text(sizes.asked), steps: sizes.steps },
    levels,
    eightToOne: rounded(rate(8) / rate(1)),
    tokenMs: await tokenGaps(rooms.desk, sizes),
    machine: machine(),
  };
}

async function runLevel(
  desk: MemoryDesk,
  sizes: ServeSizes,
  concurrent: number,
  jobs: number,
): Promise<ServeLevel> {
  const firsts: number[] = [];
  const lasts: number[] = [];
  let next = 0;
  const started = performance.now();
  const place = async (): Promise<void> => {
    while (next < jobs) {
      const submitted = performance.now();
      const job = desk.submit(request(sizes, next++));
      await desk.until(job, ({ previews, status }) => previews.length > 0 || ENDED.has(status));
      firsts.push((performance.now() - submitted) / 1000);
      await ended(desk, job);
      lasts.push((performance.now() - submitted) / 1000);
    }
  };
  await Promise.all(Array.from({ length: concurrent }, place));
  const minutes = (performance.now() - started) / 60_000;
  return {
    concurrent,
    jobs,
    picturesPerMinute: rounded(jobs / minutes),
    firstPartial: percentiles(firsts),
    last: percentiles(lasts),
  };
}

/** What it costs those who are drawn when others join, whose prompts are read in chunks between the steps. */
async function tokenGaps(desk: MemoryDesk, sizes: ServeSizes): Promise<ServeMeasurement["tokenMs"]> {
  const gaps: number[] = [];
  const watched = desk.submit({ ...request(sizes, 0), previews: 0 });
  let at = performance.now();
  let seen = 0;
  let joined = 0;
  while (watched.status === "queued" || watched.status === "drawing") {
    await desk.until(watched, ({ progress, status }) => progress.length > seen || status === "finished");
    if (watched.progress.length === seen) break;
    const now = performance.now();
    if (seen > 0) gaps.push(now - at);
    [seen, at] = [watched.progress.length, now];
    if (seen % 8 === 0 && joined < 4)
      desk.submit({ ...request(sizes, 1000 + joined++), previews: 0, prompt: LONG + joined });
  }
  for (const job of desk.jobs) await ended(desk, job);
  return { ...percentiles(gaps), max: rounded(Math.max(...gaps)) };
}

/** Some hundred tokens that no other prompt begins with. */
const LONG =
  "a quiet harbour at dusk with seven boats, red roofs, a church behind them and gulls over the water, ".repeat(
    5,
  );

async function ended(desk: MemoryDesk, job: DeskJob): Promise<void> {
  await desk.until(job);
  if (job.status !== "finished")
    throw new Error(`a job ${job.status}: ${job.fault?.message ?? "without a word"}`);
}

const WORDS = [
  "red apple",
  "dog",
  "cat",
  "car",
  "banana",
  "sunflower",
  "pizza",
  "rocket",
  "house",
  "penguin",
];

function request({ native, asked, steps }: ServeSizes, index: number): DrawRequest {
  return {
    task: "generation",
    prompt: `a ${WORDS[index % WORDS.length]}`,
    count: 1,
    seed: index,
    native,
    asked,
    settings: { steps },
    images: [],
    readImages: false,
    ground: null,
    pasteBack: true,
    think: false,
    output: { format: "png", quality: 90 },
    previews: 1,
  };
}

function percentiles(values: readonly number[]): Percentiles {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    rounded(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] as number);
  return { p50: at(0.5), p95: at(0.95) };
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

function text({ width, height }: PixelSize): string {
  return `${width} x ${height}`;
}
