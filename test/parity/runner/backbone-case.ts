/** @file Kind `backbone`: hidden states of one pass and of cached steps, and logits (docs/nextstep-spec.md 2.1). */
import { z } from "zod";
import type { ModelFolder } from "../../../src/checkpoint/model-folder.ts";
import { writeOnnx } from "../../../src/graph/onnx-writer.ts";
import { input, type Value } from "../../../src/graph/value.ts";
import { backbone, embedTokens, lmHead, rotaryTables } from "../../../src/model/backbone.ts";
import { ParameterScope } from "../../../src/model/parameter-scope.ts";
import type { HostTensor, Session } from "../../../src/runtime/engine.ts";
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
  readonly ids: BigInt64Array;
  /** True for a real token. [rows, columns] */
  readonly real: readonly boolean[];
}

export async function runBackboneCase(
  test: ParityCase,
  check: CaseCheck,
  context: ParityContext,
): Promise<void> {
  const { cached_steps: steps } = parseFields(fields, test.json, test.name);
  const folder = await context.model(test.model);
  const batch = readBatch(await check.input("input_ids"), await check.input("attention_mask"));
  const { rows, columns, real } = batch;
  await using stepper = await Stepper.create(folder, context);

  const full = await stepper.run(batch, 0, columns, undefined);
  const width = folder.config.hiddenSize;
  await check.compare("hidden", full.hidden, { counts: (i) => real[Math.floor(i / width)] === true });

  if (check.has("logits")) {
    const last = check.shapeOf("logits")[1] ?? 0;
    const vocabulary = folder.config.vocabSize;
    await check.compare("logits", lastColumns(full.logits, last), {
      counts: (i) => realInLast(batch, last, Math.floor(i / vocabulary)),
    });
  }
  if (check.has("hidden_cached")) {
    let past = await stepper.run(batch, 0, columns - steps, undefined);
    const hidden = new Float32Array(rows * steps * width);
    for (let step = 0; step < steps; step++) {
      past = await stepper.run(batch, columns - steps + step, 1, past);
      const data = past.hidden.data as Float32Array;
      for (let row = 0; row < rows; row++) {
        hidden.set(data.subarray(row * width, (row + 1) * width), (row * steps + step) * width);
      }
    }
    await check.compare(
      "hidden_cached",
      { shape: [rows, steps, width], data: hidden },
      { counts: (i) => realInLast(batch, steps, Math.floor(i / width)) },
    );
  }
}

function readBatch(ids: Tensor, mask: Tensor): Batch {
  const [rows = 0, columns = 0] = ids.shape;
  return {
    rows,
    columns,
    ids: BigInt64Array.from(integers(ids), BigInt),
    real: integers(mask).map((value) => value !== 0),
  };
}

function integers({ data }: Tensor): number[] {
  return Array.from({ length: data.length }, (_, i) => Number(data[i]));
}

/** Whether place `index` of [rows, last] is a real token of the last columns. */
function realInLast({ columns, real }: Batch, last: number, index: number): boolean {
  const row = Math.floor(index / last);
  return real[row * columns + columns - last + (index % last)] === true;
}

function lastColumns(tensor: HostTensor, last: number): HostTensor {
  const [rows = 0, columns = 0, width = 0] = tensor.shape;
  const from = tensor.data as Float32Array;
  const data = new Float32Array(rows * last * width);
  for (let row = 0; row < rows; row++) {
    const start = (row * columns + columns - last) * width;
    data.set(from.subarray(start, start + last * width), row * last * width);
  }
  return { dtype: "float32", shape: [rows, last, width], data };
}

interface Pass {
  readonly hidden: HostTensor;
  readonly logits: HostTensor;
  /** Columns whose keys and values are held. */
  readonly length: number;
  readonly keys: readonly HostTensor[];
  readonly values: readonly HostTensor[];
}

/** Two sessions of one model: a whole prompt, and tokens that continue a cache. */
class Stepper implements AsyncDisposable {
  readonly #folder: ModelFolder;
  readonly #whole: Session;
  readonly #cached: Session;

  private constructor(folder: ModelFolder, whole: Session, cached: Session) {
    this.#folder = folder;
    this.#whole = whole;
    this.#cached = cached;
  }

  static async create(folder: ModelFolder, { engine }: ParityContext): Promise<Stepper> {
    const session = (cached: boolean): Promise<Session> =>
      engine.createSession(
        writeOnnx(graph(folder, cached), { parameters: "initializers" }),
        folder.tensors.weightSource,
      );
    return new Stepper(folder, await session(false), await session(true));
  }

  /** Columns `start` to `start + count` of the batch, behind those that `past` holds. */
  async run(batch: Batch, start: number, count: number, past: Pass | undefined): Promise<Pass> {
    const { rows, columns, ids } = batch;
    const { config } = this.#folder;
    const tables = rotaryTables(config, columns);
    const half = [columns, config.headDim / 2];
    const feeds: Record<string, HostTensor> = {
      ids: { dtype: "int64", shape: [rows, count], data: new BigInt64Array(rows * count) },
      positions: { dtype: "int64", shape: [rows, count], data: new BigInt64Array(rows * count) },
      cosines: { dtype: "float32", shape: half, data: tables.cosines },
      sines: { dtype: "float32", shape: half, data: tables.sines },
      mask: maskFor(batch, start, count),
    };
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < count; column++) {
        (feeds.ids?.data as BigInt64Array)[row * count + column] = ids[row * columns + start + column] ?? 0n;
        (feeds.positions?.data as BigInt64Array)[row * count + column] = BigInt(start + column);
      }
    }
    past?.keys.forEach((key, layer) => {
      feeds[`key.${layer}`] = key;
      feeds[`value.${layer}`] = past.values[layer] as HostTensor;
    });
    const results = await (past === undefined ? this.#whole : this.#cached).run(feeds);
    const held = (part: "key" | "value"): HostTensor[] =>
      Array.from({ length: config.layers }, (_, layer) => {
        const fresh = results[`new.${part}.${layer}`] as HostTensor;
        const old = past?.[part === "key" ? "keys" : "values"][layer];
        return old === undefined ? fresh : joinColumns(old, fresh);
      });
    return {
      hidden: results.hidden as HostTensor,
      logits: results.logits as HostTensor,
      length: start + count,
      keys: held("key"),
      values: held("value"),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#whole.dispose();
    await this.#cached.dispose();
  }
}

function graph({ config }: ModelFolder, cached: boolean): Record<string, Value> {
  const scope = new ParameterScope();
  const half = config.headDim / 2;
  const cache = (part: string): Value[] =>
    Array.from({ length: config.layers }, (_, layer) =>
      input(`${part}.${layer}`, "float32", ["rows", config.kvHeads, "past", config.headDim]),
    );
  const { hidden, keys, values } = backbone(scope, config, {
    embeds: embedTokens(scope, config, input("ids", "int64", ["rows", "tokens"])),
    positions: input("positions", "int64", ["rows", "tokens"]),
    cosines: input("cosines", "float32", ["positions", half]),
    sines: input("sines", "float32", ["positions", half]),
    mask: input("mask", "float32", ["rows", 1, "tokens", cached ? "past+tokens" : "tokens"]),
    ...(cached ? { cache: { keys: cache("key"), values: cache("value") } } : {}),
  });
  const outputs: Record<string, Value> = { hidden, logits: lmHead(scope, config, hidden) };
  keys.forEach((key, layer) => {
    outputs[`new.key.${layer}`] = key;
    outputs[`new.value.${layer}`] = values[layer] as Value;
  });
  return outputs;
}

/** Key column j is visible to query column i if j <= i and j is a real token. [rows, 1, count, start + count] */
function maskFor({ rows, columns, real }: Batch, start: number, count: number): HostTensor {
  const seen = start + count;
  const data = new Float32Array(rows * count * seen).fill(MASKED);
  for (let row = 0; row < rows; row++) {
    for (let query = 0; query < count; query++) {
      for (let key = 0; key <= start + query; key++) {
        if (real[row * columns + key] === true) data[(row * count + query) * seen + key] = 0;
      }
    }
  }
  return { dtype: "float32", shape: [rows, 1, count, seen], data };
}

/** Appends along the token axis: [rows, heads, a, d] and [rows, heads, b, d]. */
function joinColumns(old: HostTensor, fresh: HostTensor): HostTensor {
  const [rows = 0, heads = 0, before = 0, width = 0] = old.shape;
  const added = fresh.shape[2] ?? 0;
  const data = new Float32Array(rows * heads * (before + added) * width);
  const [left, right] = [old.data as Float32Array, fresh.data as Float32Array];
  for (let block = 0; block < rows * heads; block++) {
    const at = block * (before + added) * width;
    data.set(left.subarray(block * before * width, (block + 1) * before * width), at);
    data.set(right.subarray(block * added * width, (block + 1) * added * width), at + before * width);
  }
  return { dtype: "float32", shape: [rows, heads, before + added, width], data };
}
