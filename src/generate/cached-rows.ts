/**
 * @file Rows of tokens that the backbone has read, each of its own length, with the keys and values that later tokens
 * attend to. A row's numbers do not depend on the other rows: its tokens stand at its own positions 0, 1, 2, ... and
 * at the same places of the cache, and shorter rows are padded behind their end, where nothing looks.
 */
import { InputError } from "../errors.ts";
import { rotaryTables } from "../model/backbone.ts";
import { type NextStepConfig, tokenWidth } from "../model/config.ts";
import type { Engine, Feeds, HostTensor, Session, State, StoreRule } from "../runtime/engine.ts";
import { cacheNames } from "./backbone-graph.ts";

/** Caches grow by this many tokens: the engine reads all of a cache at every step, filled or not. */
const CAPACITY_STEP = 128;

/** Most tokens of a row that are read at once: bounds the attention scores of a long prompt. */
const CHUNK = 256;

/** Far below any score, far above where adding a score would overflow. */
const MASKED = -1e30;

/** Tokens to read: ids, some of which are places of image tokens. */
export interface TokenRow {
  readonly ids: readonly number[];
  /** Image tokens [length, 64] that stand at the ids from `start` on. */
  readonly images?: readonly { readonly start: number; readonly tokens: Float32Array }[];
  /**
   * Rotary position of the first token that a row reads, default 0. Attention knows distances only, so that any start
   * gives the same numbers up to the rounding of angles; the published code counts the padding in front of a row.
   */
  readonly position?: number;
}

export class CachedRows implements AsyncDisposable {
  readonly #engine: Engine;
  readonly #session: Session;
  readonly #config: NextStepConfig;
  #lengths: number[];
  /** Rotary position of each row's first token. */
  #origins: number[];
  #capacity = 0;
  /** Keys and values of each layer, [rows, kvHeads, capacity, headDim]; rotary tables [capacity, headDim / 2]. */
  #caches = new Map<string, State>();
  #tables = new Map<string, State>();

  /** Rows without tokens. */
  constructor(engine: Engine, session: Session, config: NextStepConfig, rows: number) {
    this.#engine = engine;
    this.#session = session;
    this.#config = config;
    this.#lengths = new Array<number>(rows).fill(0);
    this.#origins = new Array<number>(rows).fill(0);
  }

  /** Tokens read so far, a row each. */
  get lengths(): readonly number[] {
    return this.#lengths;
  }

  /** Makes room ahead, so that the caches need not grow on the way. */
  async reserve(tokens: number): Promise<void> {
    await this.#grow(tokens);
  }

  /**
   * Reads one or more tokens of every row.
   * @returns the hidden state of each row's last token, [rows, D]
   * @throws InputError when the rows grow beyond the model's positions.
   */
  async append(rows: readonly TokenRow[]): Promise<Float32Array> {
    const longest = rows.reduce((most, { ids }) => Math.max(most, ids.length), 0);
    const hidden = new Float32Array(rows.length * this.#config.hiddenSize);
    const base = [...this.#lengths];
    rows.forEach(({ position }, row) => {
      if (base[row] === 0) this.#origins[row] = position ?? 0;
    });
    await this.#grow(
      Math.max(...base.map((length, row) => length + (this.#origins[row] as number))) + longest,
    );
    for (let start = 0; start < longest; start += CHUNK) {
      await this.#readChunk(rows, base, start, Math.min(CHUNK, longest - start), hidden);
    }
    this.#lengths = base.map((length, row) => length + (rows[row] as TokenRow).ids.length);
    return hidden;
  }

  /** Row r becomes what row `rows[r]` was: repeats, drops and reorders rows. */
  async select(rows: readonly number[]): Promise<void> {
    const { kvHeads, headDim } = this.#config;
    const shape = [rows.length, kvHeads, this.#capacity, headDim];
    await Promise.all([...this.#caches.keys()].map((name) => this.#replace(name, shape, rows)));
    this.#lengths = rows.map((row) => this.#lengths[row] as number);
    this.#origins = rows.map((row) => this.#origins[row] as number);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#caches.values(), ...this.#tables.values()].map((state) => state.dispose()));
    this.#caches.clear();
    this.#tables.clear();
  }

  /** Tokens `start` to `start + count` of each row; writes hidden states of rows that end there. */
  async #readChunk(
    rows: readonly TokenRow[],
    base: readonly number[],
    start: number,
    count: number,
    hidden: Float32Array,
  ): Promise<void> {
    const ends = rows.map(({ ids }) => ids.length);
    const ending = rows.flatMap((_, row) => {
      const last = (ends[row] as number) - 1 - start;
      return last >= 0 && last < count ? [{ row, pick: row * count + last }] : [];
    });
    const seen = base.map((length, row) => length + Math.min(start, ends[row] as number));
    const feeds: Feeds = {
      ...tokenFeeds(rows, base, this.#origins, start, count, tokenWidth(this.#config)),
      mask: maskFeed(seen, this.#capacity, count),
      picks: int64(
        [ending.length],
        ending.map(({ pick }) => pick),
      ),
      ...Object.fromEntries(this.#tables),
      ...Object.fromEntries(this.#caches),
    };
    const result = await this.#session.run(feeds, {
      fetch: ["hidden"],
      store: this.#storeRules(base.map((length) => length + start)),
    });
    const states = result.hidden?.data as Float32Array;
    const width = this.#config.hiddenSize;
    ending.forEach(({ row }, index) => {
      hidden.set(states.subarray(index * width, (index + 1) * width), row * width);
    });
  }

  #storeRules(starts: readonly number[]): StoreRule[] {
    const rules: StoreRule[] = [];
    for (let layer = 0; layer < this.#config.layers; layer++) {
      const names = cacheNames(layer);
      for (const [output, cache] of [
        [names.newKeys, names.keys],
        [names.newValues, names.values],
      ] as const) {
        rules.push({ output, state: this.#caches.get(cache) as State, axis: 2, starts });
      }
    }
    return rules;
  }

  async #grow(tokens: number): Promise<void> {
    const { layers, kvHeads, headDim, maxPositions } = this.#config;
    if (tokens > maxPositions) {
      throw new InputError(`${tokens} tokens are more than the model's ${maxPositions} positions`, {
        remedy: "use a shorter prompt or a smaller picture",
      });
    }
    if (tokens <= this.#capacity) return;
    const capacity = Math.ceil(tokens / CAPACITY_STEP) * CAPACITY_STEP;
    const shape = [this.#lengths.length, kvHeads, capacity, headDim];
    const names = Array.from({ length: layers }, (_, layer) => cacheNames(layer));
    const caches = names.flatMap(({ keys, values }) => [keys, values]);
    const tables = rotaryTables(this.#config, capacity);
    await Promise.all([
      ...caches.map((name) => this.#replace(name, shape)),
      ...(["cosines", "sines"] as const).map(async (name) => {
        const old = this.#tables.get(name);
        const table = await this.#engine.createState([capacity, headDim / 2]);
        this.#tables.set(name, table);
        await Promise.all([table.write(tables[name], 0), old?.dispose()]);
      }),
    ]);
    this.#capacity = capacity;
  }

  /** A cache in another shape. The engine keeps the order of calls, so no two old caches outlive their successors. */
  async #replace(name: string, shape: readonly number[], rows?: readonly number[]): Promise<void> {
    const old = this.#caches.get(name);
    const created = this.#engine.createState(shape, old && { state: old, ...(rows && { rows }) });
    const disposed = old?.dispose();
    this.#caches.set(name, await created);
    await disposed;
  }
}

function tokenFeeds(
  rows: readonly TokenRow[],
  base: readonly number[],
  origins: readonly number[],
  start: number,
  count: number,
  width: number,
): Record<string, HostTensor> {
  const places = rows.length * count;
  const ids = new BigInt64Array(places);
  const positions = new BigInt64Array(places);
  const images = new Float32Array(places * width);
  const isImage = new Float32Array(places);
  rows.forEach((row, index) => {
    const from = index * count;
    for (let place = 0; place < count; place++) {
      const id = row.ids[start + place];
      if (id !== undefined) ids[from + place] = BigInt(id);
      positions[from + place] = BigInt((origins[index] as number) + (base[index] as number) + start + place);
    }
    for (const image of row.images ?? []) {
      const first = Math.max(image.start, start);
      const end = Math.min(image.start + image.tokens.length / width, start + count);
      if (end <= first) continue;
      const tokens = image.tokens.subarray((first - image.start) * width, (end - image.start) * width);
      images.set(tokens, (from + first - start) * width);
      isImage.fill(1, from + first - start, from + end - start);
    }
  });
  const shape = [rows.length, count];
  return {
    ids: { dtype: "int64", shape, data: ids },
    positions: { dtype: "int64", shape, data: positions },
    images: { dtype: "float32", shape: [...shape, width], data: images },
    is_image: { dtype: "float32", shape: [...shape, 1], data: isImage },
  };
}

/** Each token sees the first `seen` tokens of its row's cache, then the new ones up to itself. */
function maskFeed(seen: readonly number[], capacity: number, count: number): HostTensor {
  const width = capacity + count;
  const data = new Float32Array(seen.length * count * width).fill(MASKED);
  seen.forEach((length, row) => {
    for (let token = 0; token < count; token++) {
      const from = (row * count + token) * width;
      data.fill(0, from, from + length);
      data.fill(0, from + capacity, from + capacity + token + 1);
    }
  });
  return { dtype: "float32", shape: [seen.length, 1, count, width], data };
}

function int64(shape: readonly number[], values: readonly number[]): HostTensor {
  return { dtype: "int64", shape, data: BigInt64Array.from(values, BigInt) };
}
