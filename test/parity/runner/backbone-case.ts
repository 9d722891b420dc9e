/** @file Kind `backbone`: hidden states of one pass and of cached steps, and logits (docs/nextstep-spec.md 2.1). */
import { z } from "zod";
import { DataFormatError } from "../../../src/errors.ts";
import { cacheNames } from "../../../src/generate/backbone-graph.ts";
import type { ModelSessions } from "../../../src/generate/model-sessions.ts";
import type { TokenRow } from "../../../src/generate/token-feeds.ts";
import { rotaryTables } from "../../../src/model/backbone.ts";
import { tokenWidth } from "../../../src/model/config.ts";
import type { HostTensor } from "../../../src/runtime/engine.ts";
import type { Tensor } from "../../../src/tensor/tensor.ts";
import type { CaseCheck } from "./case-check.ts";
import { type ParityCase, parseFields } from "./parity-case.ts";
import type { ParityContext } from "./parity-context.ts";

/** Far below any score, far above where adding a score would overflow. */
const MASKED = -1e30;

const fields = z.looseObject({ cached_steps: z.int().nonnegative().default(0) });

interface Batch {
  readonly rows: number;
  readonly columns: number;
  /** [rows * columns] */
  readonly ids: readonly number[];
  /** True for a real token. [rows * columns] */
  readonly real: readonly boolean[];
}

export async function runBackboneCase(
  test: ParityCase,
  check: CaseCheck,
  context: ParityContext,
): Promise<void> {
  const { cached_steps: steps } = parseFields(fields, test.json, test.name);
  const sessions = await context.sessions(test.model);
  const batch = await readBatch(check);
  const { rows, columns, real } = batch;
  const { hiddenSize, vocabSize } = sessions.folder.config;

  const hidden = await hiddenOfOnePass(sessions, batch);
  await check.compare(
    "hidden",
    { shape: [rows, columns, hiddenSize], data: hidden },
    { counts: (i) => real[Math.floor(i / hiddenSize)] === true },
  );
  if (check.has("logits")) {
    const last = check.shapeOf("logits")[1] ?? 0;
    await check.compare("logits", await logitsOfLast(sessions, batch, hidden, last), {
      counts: (i) => isRealInLast(batch, last, Math.floor(i / vocabSize)),
    });
  }
  if (check.has("hidden_cached")) {
    await check.compare(
      "hidden_cached",
      { shape: [rows, steps, hiddenSize], data: await hiddenOfCachedSteps(sessions, batch, steps) },
      { counts: (i) => isRealInLast(batch, steps, Math.floor(i / hiddenSize)) },
    );
  }
}

async function readBatch(check: CaseCheck): Promise<Batch> {
  const ids = await check.input("input_ids");
  const [rows = 0, columns = 0] = ids.shape;
  const real = check.has("attention_mask")
    ? integers(await check.input("attention_mask")).map((value) => value !== 0)
    : new Array<boolean>(rows * columns).fill(true);
  return { rows, columns, ids: integers(ids), real };
}

function integers({ data }: Tensor): number[] {
  return Array.from({ length: data.length }, (_, i) => Number(data[i]));
}

/** Whether place `index` of [rows, last] is a real token of the last columns. */
function isRealInLast({ columns, real }: Batch, last: number, index: number): boolean {
  const row = Math.floor(index / last);
  return real[row * columns + columns - last + (index % last)] === true;
}

/** The generation graph over the batch as it stands, padding and all. [rows * columns, D] */
async function hiddenOfOnePass(sessions: ModelSessions, batch: Batch): Promise<Float32Array> {
  const { config } = sessions.folder;
  const { rows, columns, ids } = batch;
  const places = rows * columns;
  const { cosines, sines } = rotaryTables(config, columns);
  const angles = [columns, config.headDim / 2];
  const feeds: Record<string, HostTensor> = {
    text: {
      dtype: "float32",
      shape: [rows, columns, config.hiddenSize],
      data: await sessions.embed(ids),
    },
    images: zeros([rows, columns, tokenWidth(config)]),
    is_image: zeros([rows, columns, 1]),
    // Positions count columns, padding included (docs/nextstep-spec.md 2.1).
    positions: int64(
      [rows, columns],
      ids.map((_, place) => place % columns),
    ),
    cosines: { dtype: "float32", shape: angles, data: cosines },
    sines: { dtype: "float32", shape: angles, data: sines },
    mask: maskOf(batch),
    replay: { dtype: "bool", shape: [], data: Uint8Array.of(0) },
    places: int64([rows, columns], new Array<number>(rows * columns).fill(0)),
    picks: int64(
      [places],
      ids.map((_, place) => place),
    ),
  };
  for (let layer = 0; layer < config.layers; layer++) {
    const { keys, values } = cacheNames(layer);
    feeds[keys] = feeds[values] = zeros([rows, config.kvHeads, 1, config.headDim]);
  }
  const session = await sessions.backbone();
  const { hidden } = await session.run(feeds, { fetch: ["hidden"] });
  return hidden?.data as Float32Array;
}

/**
 * Key column j is visible to query column i if j <= i and j is a real token; the one place of the cache, in front, is
 * visible to none. [rows, 1, columns, 1 + columns]
 */
function maskOf({ rows, columns, real }: Batch): HostTensor {
  const shape = [rows, 1, columns, 1 + columns];
  const data = new Float32Array(rows * columns * (1 + columns)).fill(MASKED);
  for (let row = 0; row < rows; row++) {
    for (let query = 0; query < columns; query++) {
      const from = (row * columns + query) * (1 + columns) + 1;
      for (let key = 0; key <= query; key++) if (real[row * columns + key] === true) data[from + key] = 0;
    }
  }
  return { dtype: "float32", shape, data };
}

async function logitsOfLast(
  sessions: ModelSessions,
  { rows, columns }: Batch,
  hidden: Float32Array,
  last: number,
): Promise<HostTensor> {
  const { hiddenSize, vocabSize } = sessions.folder.config;
  const data = new Float32Array(rows * last * hiddenSize);
  for (let row = 0; row < rows; row++) {
    const end = (row + 1) * columns * hiddenSize;
    data.set(hidden.subarray(end - last * hiddenSize, end), row * last * hiddenSize);
  }
  const session = await sessions.lmHead();
  const { logits } = await session.run({
    hidden: { dtype: "float32", shape: [rows * last, hiddenSize], data },
  });
  return { dtype: "float32", shape: [rows, last, vocabSize], data: logits?.data as Float32Array };
}

/** The last columns read one by one behind the others, as drawing and writing do. [rows, steps, D] */
async function hiddenOfCachedSteps(
  sessions: ModelSessions,
  batch: Batch,
  steps: number,
): Promise<Float32Array> {
  const { config } = sessions.folder;
  const { rows, columns } = batch;
  const width = config.hiddenSize;
  const hidden = new Float32Array(rows * steps * width);
  await using cached = await sessions.cachedRows(rows);
  await cached.append(tokensOf(batch, 0, columns - steps));
  for (let step = 0; step < steps; step++) {
    const column = columns - steps + step;
    const states = await cached.append(tokensOf(batch, column, column + 1));
    for (let row = 0; row < rows; row++) {
      hidden.set(states.subarray(row * width, (row + 1) * width), (row * steps + step) * width);
    }
  }
  return hidden;
}

/** What each row reads in columns `start` to `end`: its real tokens, which begin at their own position. */
function tokensOf({ rows, columns, ids, real }: Batch, start: number, end: number): TokenRow[] {
  return Array.from({ length: rows }, (_, row) => {
    const own = real.slice(row * columns, (row + 1) * columns);
    const first = own.indexOf(true);
    if (first >= 0 && own.slice(first, own.lastIndexOf(true)).includes(false)) {
      throw new DataFormatError(`row ${row} has padding between its tokens`, { where: "attention_mask" });
    }
    const read = ids.slice(row * columns + start, row * columns + end);
    return { ids: read.filter((_, at) => own[start + at] === true), position: Math.max(first, 0) };
  });
}

function int64(shape: readonly number[], values: readonly number[]): HostTensor {
  return { dtype: "int64", shape, data: BigInt64Array.from(values, BigInt) };
}

function zeros(shape: readonly number[]): HostTensor {
  return { dtype: "float32", shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) };
}
