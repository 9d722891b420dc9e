/** @file Draws what a benchmark asks for, so that a run that was stopped goes on where it was. */
import { join } from "node:path";
import { refuseAborted } from "../../errors.ts";
import { readImage } from "../../files/decode-image.ts";
import { lockFolder } from "../../files/folder-lock.ts";
import { removeTemporaryFiles, replaceText } from "../../files/replacement-file.ts";
import type { DrawOptions } from "../../generate/draw-options.ts";
import type { Picture } from "../../generate/picture.ts";
import { makeRunFolder, type RunIdentity, readTextIfThere, settleRun } from "../run-folder.ts";
import type { BenchmarkItem, PictureFile } from "./benchmark.ts";
import { isWhole, writePictureFile } from "./benchmark-file.ts";

/** What draws: an open model. */
export interface Drawer {
  draw(prompt: string, options: DrawOptions): Promise<readonly Pick<Picture, "pixels">[]>;
}

export interface BenchmarkRun {
  readonly items: readonly BenchmarkItem[];
  readonly out: string;
  /** What the pictures depend on: a folder holds those of one run alone. */
  readonly identity: RunIdentity;
  /** Pictures of an item. */
  readonly count: number;
  /** Of the first picture of the first item; every picture has its own. */
  readonly seed: number;
  readonly options: Omit<DrawOptions, "seed" | "count" | "images" | "signal">;
  /** Pictures that are drawn at once. */
  readonly atOnce: number;
  readonly signal: AbortSignal;
  /** Told the pictures that are there, of all. */
  readonly onProgress: (done: number, of: number) => void;
}

export interface BenchmarkOutcome {
  /** Pictures of all items, and how many of them this run drew. */
  readonly pictures: number;
  readonly drawn: number;
}

const IDENTITY_FILE = "nextstep-benchmark.json";

/**
 * Draws each item whose files are not all there and whole. Items are drawn beside each other, so that the model reads its
 * weights once for several of them; each file appears when it is whole.
 * @throws ConfigError when the folder holds another run; AbortedError; whatever reading sources, drawing and writing throw
 */
export async function runBenchmark(drawer: Drawer, run: BenchmarkRun): Promise<BenchmarkOutcome> {
  const { items, out, count, atOnce, onProgress } = run;
  await makeRunFolder(out);
  await using _lock = await lockFolder(out, "draws a benchmark");
  await removeTemporaryFiles(out);
  await settleRun(out, {
    file: IDENTITY_FILE,
    identity: run.identity,
    refusal: "holds pictures of another benchmark, model, seed or settings",
    remedy: "name another folder for this run",
  });
  const total = items.length * count;
  const open: { readonly index: number; readonly missing: readonly PictureFile[] }[] = [];
  for (const [index, item] of items.entries()) {
    refuseAborted(run.signal);
    const missing: PictureFile[] = [];
    for (const file of item.files) if (!(await isWhole(out, file))) missing.push(file);
    // Beside the pictures, so that they are there even where a run was stopped between the two.
    await writeBeside(item, out);
    if (missing.length > 0) open.push({ index, missing });
  }
  const toDraw = open.reduce((sum, { missing }) => sum + copiesOf(missing).length, 0);
  let done = total - toDraw;
  onProgress(done, total);
  const failing = new AbortController();
  const signal = AbortSignal.any([run.signal, failing.signal]);
  const work = async (): Promise<void> => {
    for (let next = open.shift(); next !== undefined; next = open.shift()) {
      refuseAborted(signal);
      await drawItem(drawer, run, next, signal);
      done += copiesOf(next.missing).length;
      onProgress(done, total);
    }
  };
  const workers = Array.from({ length: Math.max(1, Math.floor(atOnce / count)) }, () =>
    work().catch((error: unknown) => {
      // The first failure ends the others; theirs say nothing else.
      if (!failing.signal.aborted) failing.abort(error);
    }),
  );
  await Promise.all(workers);
  if (failing.signal.aborted) throw failing.signal.reason;
  return { pictures: total, drawn: toDraw };
}

function copiesOf(files: readonly PictureFile[]): readonly number[] {
  return [...new Set(files.flatMap(({ copies }) => copies))].sort((a, b) => a - b);
}

async function drawItem(
  drawer: Drawer,
  { items, out, count, seed, options }: BenchmarkRun,
  { index, missing }: { readonly index: number; readonly missing: readonly PictureFile[] },
  signal: AbortSignal,
): Promise<void> {
  const { prompt, sources, shown } = items[index] as BenchmarkItem;
  const embedded = Object.keys(shown).filter((path) => typeof shown[path] !== "string");
  const images = [...sources, ...embedded.map((path) => join(out, path))];
  const copies = copiesOf(missing);
  const first = copies[0] as number;
  const pictures = await drawer.draw(prompt, {
    ...options,
    ...(images.length === 0 ? {} : { images }),
    seed: seed + index * count + first,
    count: (copies.at(-1) as number) - first + 1,
    signal,
  });
  for (const file of missing) {
    await writePictureFile(
      out,
      file,
      file.copies.map((copy) => (pictures[copy - first] as Pick<Picture, "pixels">).pixels),
    );
  }
}

async function writeBeside({ texts, shown }: BenchmarkItem, out: string): Promise<void> {
  for (const [path, text] of Object.entries(texts)) {
    if ((await readTextIfThere(join(out, path))) !== text) await replaceText(join(out, path), text);
  }
  for (const [path, source] of Object.entries(shown)) {
    if (await isWhole(out, { path })) continue;
    const picture = typeof source === "string" ? await readImage(source) : await source();
    await writePictureFile(out, { path, columns: 1 }, [picture]);
  }
}
