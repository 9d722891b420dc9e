/** @file What drawings are estimated to take of memory, beside what they take at most in a process of their own (Linux). */
import { spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openModelFolder } from "../src/checkpoint/model-folder.ts";
import { InsufficientMemoryError } from "../src/errors.ts";
import { LocalFolder } from "../src/files/local-folder.ts";
import { nodeZlib } from "../src/files/zlib.ts";
import type { DrawOptions } from "../src/generate/draw-options.ts";
import { memoryOf } from "../src/generate/memory-check.ts";
import { MemoryEstimator } from "../src/generate/memory-estimate.ts";
import { Model } from "../src/generate/model.ts";
import { encodePng } from "../src/image/encode-png.ts";
import { nodePlatform } from "../src/node/platform.ts";
import { TemporaryFolder } from "./temporary-folder.ts";

const COMMAND = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
const MIB = 2 ** 20;
/** Few steps: what they take does not depend on their number. */
const STEPS = 4;
const PROMPT = "a red apple";
/** Often enough for the most that a process has held, which the system counts itself, to be read near its end. */
const LOOK_MS = 10;

interface DrawingRow {
  readonly width: number;
  readonly height: number;
  readonly pictures: number;
  /** Sides of an input image. */
  readonly image?: readonly [width: number, height: number];
}

const square = (side: number, pictures = 1): DrawingRow => ({ width: side, height: side, pictures });

/** Powers of two and sizes between them, batches, other shapes, and input images of both kinds. */
const ROWS: readonly DrawingRow[] = [
  ...[64, 96, 128, 192, 256, 320, 384].map((side) => square(side)),
  ...[square(128, 4), square(128, 8), square(192, 4), square(256, 4)],
  { width: 416, height: 160, pictures: 1 },
  { ...square(128), image: [128, 128] },
  { ...square(192), image: [240, 176] },
  { ...square(256), image: [400, 304] },
];

export interface EstimateRow extends DrawingRow {
  /** Resident at most, in MiB. */
  readonly measured: number;
  readonly estimated: number;
}

/** Drawings with a model through the built command; `npm run build` first. */
export async function measureEstimates(model: string, threads: number): Promise<readonly EstimateRow[]> {
  await using folder = await TemporaryFolder.create();
  const rows: EstimateRow[] = [];
  for (const row of ROWS) {
    const image = row.image === undefined ? undefined : join(folder.path, "image.png");
    if (row.image !== undefined && image !== undefined) {
      const [width, height] = row.image;
      const data = Uint8Array.from({ length: 3 * width * height }, (_, at) => (at * 37) % 251);
      await writeFile(image, await encodePng({ width, height, data }, nodeZlib));
    }
    const estimated = await estimateOf(model, row, image);
    const measured = await drawn(model, row, image, { threads, out: folder.path });
    rows.push({
      ...row,
      measured: Math.round(measured / MIB),
      estimated: Math.round(estimated / MIB),
    });
  }
  return rows;
}

const promptOf = (image: string | undefined): string => (image === undefined ? PROMPT : `<image>${PROMPT}`);

/** What the check of a drawing comes to, asked by leaving it nothing. */
async function estimateOf(
  path: string,
  { width, height, pictures }: DrawingRow,
  image: string | undefined,
): Promise<number> {
  await using folder = await openModelFolder(new LocalFolder(path));
  const memory = memoryOf(folder);
  if (memory === undefined) throw new Error(`${path} cannot draw`);
  const { parts } = new MemoryEstimator(memory).estimate({
    ...{ grid: [1, 1], pictures: 1, rows: 1, promptTokens: 1 },
  });
  let bytes = Number.POSITIVE_INFINITY;
  await using model = await Model.open(
    { ...nodePlatform, availableMemory: () => ({ bytes, of: "nothing" }) },
    path,
  );
  bytes = 0;
  const options: DrawOptions = {
    ...{ size: { width, height }, count: pictures, steps: STEPS },
    ...(image === undefined ? {} : { images: [image] }),
  };
  try {
    await model.draw(promptOf(image), options);
  } catch (error) {
    if (error instanceof InsufficientMemoryError) return error.needed + parts.program;
    throw error;
  }
  throw new Error("a drawing without memory was not refused");
}

/** Bytes that the command's process held at most. */
async function drawn(
  path: string,
  { width, height, pictures }: DrawingRow,
  image: string | undefined,
  { threads, out }: { readonly threads: number; readonly out: string },
): Promise<number> {
  const child = spawn(
    process.execPath,
    [
      ...[COMMAND, promptOf(image), "--model", path, "--out", out, "--no-memory-check"],
      ...["--size", `${width}x${height}`, "--count", String(pictures), "--steps", String(STEPS)],
      ...(threads === 0 ? [] : ["--threads", String(threads)]),
      ...(image === undefined ? [] : ["--image", image]),
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let said = "";
  child.stderr.on("data", (data: Buffer) => {
    said += data.toString();
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  let isRunning = true;
  ended.then(
    () => {
      isRunning = false;
    },
    () => {
      isRunning = false;
    },
  );
  let most = 0;
  while (isRunning) {
    const status = await readFile(`/proc/${child.pid}/status`, "utf8").catch(() => "");
    most = Math.max(most, 1024 * Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0));
    await setTimeout(LOOK_MS);
  }
  const code = await ended;
  if (code !== 0) throw new Error(`the command ended with code ${code}: ${said}`);
  return most;
}
