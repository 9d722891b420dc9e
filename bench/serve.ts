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
  /** All levels are measured so often, in turn: other work on the machine comes and goes. */
  readonly rounds: number;
}

interface Percentiles {
  readonly p50: number;
  readonly p95: number;
}

export interface ServeLevel {
  readonly concurrent: number;
  readonly jobs: number;
  readonly picturesPerMinute: number;
  /** Milliseconds of all processors that a picture takes. */
  readonly processorMs: number;
  /** Seconds from a job's submission to its look at half of the rows. */
  readonly firstPartial: Percentiles;
  /** Seconds from a job's submission to its pictures in the store. */
  readonly last: Percentiles;
}

/** Medians over rounds, and the range. */
interface Ratio {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

export interface ServeMeasurement {
  readonly name: "serve";
  readonly sizes: Readonly<Record<string, number | string>>;
  /** Medians over rounds; percentiles of all jobs. */
  readonly levels: readonly ServeLevel[];
  /** Pictures a minute with eight at once, as a multiple of those with one, in the same round. */
  readonly eightToOne: Ratio;
  /** The same of the tokens alone, nothing decoded or stored: what batching can give at most. */
  readonly tokensEightToOne: Ratio;
  /** Milliseconds between two tokens of a picture while four others with long prompts come, one after another. */
  readonly tokenMs: Percentiles & { readonly max: number };
  readonly machine: Machine;
}

/** A level in one round. */
interface LevelRun extends Pick<ServeLevel, "concurrent" | "jobs" | "picturesPerMinute" | "processorMs"> {
  readonly firsts: readonly number[];
  readonly lasts: readonly number[];
}

/** @param onLevel told of each as it is measured: all of them take minutes */
export async function benchServe(
  open: () => Promise<Model>,
  sizes: ServeSizes,
  onLevel: (level: ServeLevel) => void,
): Promise<ServeMeasurement> {
  const rooms = { desk: new MemoryDesk(), blobs: new MemoryBlobs() };
  const opening = open();
  await using _worker = createWorker({
    name: "bench",
    model: "bench",
    open: () => opening,
    ...rooms,
    gallery: rooms.desk,
    maxBatch: Math.max(...LEVELS),
  });
  const model = await opening;
  // Weights are read, and the first runs of each shape are made.
  await runLevel(rooms.desk, sizes, 2, 2);
  const runs: LevelRun[] = [];
  const tokens: { readonly one: number; readonly eight: number }[] = [];
  for (let round = 0; round < sizes.rounds; round++) {
    for (const concurrent of LEVELS) {
      const jobs = Math.max(LEAST_JOBS, sizes.jobsEach * concurrent);
      const run = await runLevel(rooms.desk, sizes, concurrent, jobs);
      onLevel(levelOf([run]));
      runs.push(run);
    }
    tokens.push({ one: await tokenRate(model, sizes, 1), eight: await tokenRate(model, sizes, 8) });
  }
  const of = (concurrent: number): LevelRun[] => runs.filter((run) => run.concurrent === concurrent);
  const ones = of(1);
  return {
    name: "serve",
    sizes: {
      native: text(sizes.native),
      asked: text(sizes.asked),
      steps: sizes.steps,
      rounds: sizes.rounds,
    },
    levels: LEVELS.map((concurrent) => levelOf(of(concurrent))),
    eightToOne: ratio(
      of(8).map((run, round) => run.picturesPerMinute / (ones[round] as LevelRun).picturesPerMinute),
    ),
    tokensEightToOne: ratio(tokens.map(({ one, eight }) => eight / one)),
    tokenMs: await tokenGaps(rooms.desk, sizes),
    machine: machine(),
  };
}

async function runLevel(
  desk: MemoryDesk,
  sizes: ServeSizes,
  concurrent: number,
  jobs: number,
): Promise<LevelRun> {
  const firsts: number[] = [];
  const lasts: number[] = [];
  let next = 0;
  const used = process.cpuUsage();
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
  const { user, system } = process.cpuUsage(used);
  const minutes = (performance.now() - started) / 60_000;
  return {
    concurrent,
    jobs,
    picturesPerMinute: jobs / minutes,
    processorMs: (user + system) / 1000 / jobs,
    firsts,
    lasts,
  };
}

/** Of one level, in some rounds. */
function levelOf(runs: readonly LevelRun[]): ServeLevel {
  const [{ concurrent }] = runs as [LevelRun];
  return {
    concurrent,
    jobs: runs.reduce((total, { jobs }) => total + jobs, 0),
    picturesPerMinute: percentiles(runs.map(({ picturesPerMinute }) => picturesPerMinute)).p50,
    processorMs: percentiles(runs.map(({ processorMs }) => processorMs)).p50,
    firstPartial: percentiles(runs.flatMap(({ firsts }) => firsts)),
    last: percentiles(runs.flatMap(({ lasts }) => lasts)),
  };
}

/** Pictures a second of which the last token is drawn, so many begun at once. */
async function tokenRate(model: Model, { native, steps }: ServeSizes, pictures: number): Promise<number> {
  const started = performance.now();
  const drawn = Array.from({ length: pictures }, async (_, seed) => {
    const prompt = `a ${WORDS[seed % WORDS.length]}`;
    for await (const { token, of } of model.start(prompt, { size: native, steps, seed })) {
      if (token === of) break;
    }
  });
  await Promise.all(drawn);
  return (1000 * pictures) / (performance.now() - started);
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

function ratio(ratios: readonly number[]): Ratio {
  return {
    median: percentiles(ratios).p50,
    least: rounded(Math.min(...ratios)),
    most: rounded(Math.max(...ratios)),
  };
}

function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

function text({ width, height }: PixelSize): string {
  return `${width} x ${height}`;
}
