/**
 * @file Rows of tokens that the backbone has read, each of its own length, with the keys and values that later tokens
 * attend to. A row's numbers do not depend on the other rows: its tokens stand at its own positions 0, 1, 2, ... and
 * at the same places of the cache, and shorter rows are padded behind their end, where nothing looks.
 */
import { InputError, refuseAborted } from "../errors.ts";
import { rotaryTables } from "../model/backbone.ts";
import { type NextStepConfig, tokenWidth } from "../model/config.ts";
import type { Engine, Feeds, RowCopy, RunRequest, Session, State, StoreRule } from "../runtime/engine.ts";
import type { AdapterTables } from "./adapter-tables.ts";
import { ADAPTER_OF_ROW, cacheNames } from "./backbone-graph.ts";
import { maskFeed, type RowSight, type TokenEmbedding, type TokenRow, tokenFeeds } from "./token-feeds.ts";

/** Caches grow by this many tokens: the engine reads all of a cache at every step, filled or not. */
export const CAPACITY_STEP = 128;

/** Places of caches that have room for as many tokens. */
export function capacityFor(tokens: number): number {
  return Math.ceil(tokens / CAPACITY_STEP) * CAPACITY_STEP;
}

/**
 * Most tokens of a row that are read at once: bounds the attention scores of a long prompt, and how long other rows wait
 * while it is read. Other chunks would round otherwise.
 */
export const PROMPT_CHUNK = 32;

/** Most tokens that a replay reads at once; how many does not change a bit of it. */
const REPLAY_CHUNK = 256;

/** Attention scores of one layer that a replay may hold at once, in numbers. */
const REPLAY_SCORES = 2 ** 26;

/** When rows are added, the caches grow by this part at least, so that rows that come one by one are not copied each time. */
export const ROW_GROWTH = 1 / 4;

/** What reads tokens. */
export interface Backbone {
  readonly engine: Engine;
  readonly session: Session;
  readonly config: NextStepConfig;
  readonly embed: TokenEmbedding;
  /** Of the adapters that the session was made for; undefined where it was made for none. */
  readonly adapters?: AdapterTables | undefined;
}

export interface AppendOptions {
  /**
   * Reads tokens behind each other that were once appended one by one, in few runs, with the bits that they had then.
   * Several tokens with a layout are read so, too. Costs a copy of the caches for each run. Default false.
   */
  readonly replay?: boolean;
  /** Looked at before each run. */
  readonly signal?: AbortSignal | undefined;
}

interface RowState {
  /** Tokens read. */
  readonly length: number;
  /** Rotary position of the first token. */
  readonly origin: number;
}

/** A token of a row whose hidden state is wanted. */
interface TokenPick {
  readonly row: number;
  readonly token: number;
}

export class CachedRows implements AsyncDisposable {
  readonly #engine: Engine;
  readonly #session: Session;
  readonly #config: NextStepConfig;
  readonly #embed: TokenEmbedding;
  readonly #adapters: AdapterTables | undefined;
  readonly #rows: RowState[] = [];
  /** Rows that the caches have room for; those in use stand in front. */
  #rowCapacity = 0;
  #capacity = 0;
  /** Keys and values of each layer, [rowCapacity, kvHeads, capacity, headDim]; rotary tables [capacity, headDim / 2]. */
  readonly #caches = new Map<string, State>();
  readonly #tables = new Map<string, State>();

  /** @param rows number of rows, without tokens; others can be added. */
  constructor({ engine, session, config, embed, adapters }: Backbone, rows: number) {
    this.#engine = engine;
    this.#session = session;
    this.#config = config;
    this.#embed = embed;
    this.#adapters = adapters;
    this.add(rows);
  }

  /** Of keys and values of some rows with room for some tokens. */
  static bytes({ layers, kvHeads, headDim }: NextStepConfig, rows: number, tokens: number): number {
    return rows * capacityFor(tokens) * layers * 2 * kvHeads * headDim * Float32Array.BYTES_PER_ELEMENT;
  }

  /** Of its own keys and values, used or not. */
  get bytes(): number {
    return CachedRows.bytes(this.#config, this.#rowCapacity, this.#capacity);
  }

  /** Tokens read so far, a row each. */
  get lengths(): readonly number[] {
    return this.#rows.map(({ length }) => length);
  }

  /** Adds rows without tokens at the end. */
  add(rows: number): void {
    for (let row = 0; row < rows; row++) this.#rows.push({ length: 0, origin: 0 });
  }

  /**
   * Reads tokens of every row; a row that is given none keeps its place.
   * @returns the hidden state of each row's last token, [rows, D], zeros for a row that was given none; where a row has a
   * layout, those of its picks instead
   * @throws InputError when a row grows beyond the model's positions; AbortedError between runs, which leaves the rows as
   * they were.
   */
  async append(rows: readonly TokenRow[], options: AppendOptions = {}): Promise<Float32Array> {
    const longest = rows.reduce((most, { ids }) => Math.max(most, ids.length), 0);
    const base = this.#rows.map(({ length, origin }, row) => ({
      length,
      origin: length === 0 ? (rows[row]?.position ?? 0) : origin,
    }));
    this.#refuseBeyond(Math.max(...base.map((row, i) => end(row) + (rows[i]?.ids.length ?? 0))));
    const places = rows.flatMap(({ layout }, row) =>
      (layout?.places ?? []).map((place) => (base[row] as RowState).origin + place + 1),
    );
    await this.#resize(this.#rows.length, Math.max(Math.max(...base.map(end)) + longest, ...places));
    const chunk = options.replay === true ? this.#replayChunk() : PROMPT_CHUNK;
    const picks = rows.flatMap(({ ids, layout }, row) =>
      (layout?.picks ?? [ids.length - 1]).map((token) => ({ row, token })),
    );
    const hidden = new Float32Array(picks.length * this.#config.hiddenSize);
    for (let start = 0; start < longest; start += chunk) {
      refuseAborted(options.signal);
      const count = Math.min(chunk, longest - start);
      await this.#readChunk(rows, base, { start, count, replay: options.replay === true }, { picks, hidden });
    }
    base.forEach((row, i) => {
      const { ids, layout } = rows[i] as TokenRow;
      this.#rows[i] = { ...row, length: row.length + ids.length - (layout?.passing ?? 0) };
    });
    return hidden;
  }

  /** A row forgets all but its first tokens, and goes on behind them. */
  truncate(row: number, length: number): void {
    const known = this.#rows[row];
    if (known === undefined || length < 0 || length > known.length) {
      throw new InputError(`row ${row} has no ${length} tokens to keep`, { where: "cached rows" });
    }
    this.#rows[row] = { ...known, length };
  }

  /** Adds copies of rows at the end. */
  async fork(rows: readonly number[]): Promise<void> {
    await this.adopt(this, rows);
  }

  /** Adds copies of another cache's rows, of the same engine and model, at the end. */
  async adopt(other: CachedRows, rows: readonly number[] = other.#rows.map((_, row) => row)): Promise<void> {
    const taken = rows.map((row) => other.#rows[row] as RowState);
    const count = this.#rows.length;
    await this.#resize(count + rows.length, Math.max(0, ...[...this.#rows, ...taken].map(end)));
    const copies = rows.map((from, index) => ({ from, to: count + index }));
    const copied = [...this.#caches].map(async ([name, target]) => {
      const source = other.#caches.get(name);
      if (source !== undefined) await this.#engine.copyRows(source, target, copies);
    });
    await Promise.all(copied);
    this.#rows.push(...taken);
  }

  /** Makes room at once for rows that are to come, which would be made for one after the other otherwise. */
  async reserve(rows: number, tokens: number): Promise<void> {
    await this.#resize(rows, tokens);
  }

  /**
   * A row of its own with what one has read, to be copied from and not read on. The engine is asked for it before anything
   * is awaited: what becomes of the row behind this call does not change it.
   */
  async copyOf(row: number): Promise<CachedRows> {
    const state = this.#rows[row] as RowState;
    const backbone = {
      engine: this.#engine,
      session: this.#session,
      config: this.#config,
      embed: this.#embed,
    };
    const copy = new CachedRows({ ...backbone, adapters: this.#adapters }, 0);
    copy.#rows.push(state);
    copy.#rowCapacity = 1;
    copy.#capacity = capacityFor(end(state));
    const { kvHeads, headDim } = this.#config;
    const shape = [1, kvHeads, copy.#capacity, headDim];
    const made = [...this.#caches].map(async ([name, cache]) => {
      copy.#caches.set(name, await this.#engine.createState(shape, { state: cache, rows: [row] }));
    });
    await Promise.all(made);
    return copy;
  }

  /** Takes rows away; the last ones move into their places. Returns which row moved where. */
  async remove(rows: ReadonlySet<number>): Promise<readonly RowCopy[]> {
    const moves = removalMoves(this.#rows.length, rows);
    await Promise.all([...this.#caches.values()].map((cache) => this.#engine.copyRows(cache, cache, moves)));
    for (const { from, to } of moves) this.#rows[to] = this.#rows[from] as RowState;
    this.#rows.length -= rows.size;
    // A cache that was grown for one long row would slow down all that come after it.
    const needed = Math.max(0, ...this.#rows.map(end));
    if (this.#rows.length > 0 && 2 * needed + CAPACITY_STEP <= this.#capacity) await this.#allocate(needed);
    return moves;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#caches.values(), ...this.#tables.values()].map((state) => state.dispose()));
    this.#caches.clear();
    this.#tables.clear();
  }

  /** Tokens `start` to `start + count` of each row; writes hidden states of the picks among them. */
  async #readChunk(
    rows: readonly TokenRow[],
    base: readonly RowState[],
    { start, count, replay }: { readonly start: number; readonly count: number; readonly replay: boolean },
    { picks, hidden }: { readonly picks: readonly TokenPick[]; readonly hidden: Float32Array },
  ): Promise<void> {
    const picked = picks.flatMap(({ row, token }, to) =>
      token >= start && token < start + count ? [{ to, from: row * count + token - start }] : [],
    );
    const sights = base.map(({ length }, index): RowSight => {
      const { ids, layout } = rows[index] as TokenRow;
      return { seen: length + Math.min(start, ids.length), layout };
    });
    const span = { start, count, width: tokenWidth(this.#config), hiddenSize: this.#config.hiddenSize };
    const front = ([name, state]: [string, State]) => [name, { state, rows: rows.length }] as const;
    const feeds: Feeds = {
      ...(await tokenFeeds(rows, base, span, this.#embed)),
      mask: maskFeed(sights, { capacity: this.#capacity, start, count, replay }),
      replay: { dtype: "bool", shape: [], data: Uint8Array.of(replay ? 1 : 0) },
      picks: {
        dtype: "int64",
        shape: [picked.length],
        data: BigInt64Array.from(picked, ({ from }) => BigInt(from)),
      },
      ...Object.fromEntries(this.#tables),
      ...Object.fromEntries([...this.#caches].map(front)),
    };
    const request: RunRequest = {
      fetch: ["hidden"],
      store: this.#storeRules(base.map(({ length }) => length + start)),
    };
    const result = await (this.#adapters?.use(
      rows.map(({ adapters }) => adapters),
      (tables, places) => this.#session.run({ ...feeds, ...tables, [ADAPTER_OF_ROW]: places }, request),
    ) ?? this.#session.run(feeds, request));
    const states = result.hidden?.data as Float32Array;
    const width = this.#config.hiddenSize;
    picked.forEach(({ to }, index) => {
      hidden.set(states.subarray(index * width, (index + 1) * width), to * width);
    });
  }

  #storeRules(starts: readonly number[]): StoreRule[] {
    return Array.from({ length: this.#config.layers }, (_, layer) => cacheNames(layer)).flatMap((names) => [
      { output: names.newKeys, state: this.#caches.get(names.keys) as State, axis: 2, starts },
      { output: names.newValues, state: this.#caches.get(names.values) as State, axis: 2, starts },
    ]);
  }

  #replayChunk(): number {
    const scores = this.#rows.length * this.#config.heads * this.#capacity;
    return Math.min(REPLAY_CHUNK, Math.max(1, Math.floor(REPLAY_SCORES / scores)));
  }

  #refuseBeyond(tokens: number): void {
    const { maxPositions } = this.#config;
    if (tokens <= maxPositions) return;
    throw new InputError(`${tokens} tokens are more than the model's ${maxPositions} positions`, {
      remedy: "use a shorter prompt or a smaller picture",
    });
  }

  /** Makes room for as many rows and tokens. */
  async #resize(rows: number, tokens: number): Promise<void> {
    if (rows <= this.#rowCapacity && tokens <= this.#capacity) return;
    if (rows > this.#rowCapacity) {
      this.#rowCapacity = Math.max(rows, Math.ceil(this.#rowCapacity * (1 + ROW_GROWTH)));
    }
    await this.#allocate(Math.max(tokens, this.#capacity));
  }

  async #allocate(tokens: number): Promise<void> {
    const { layers, kvHeads, headDim } = this.#config;
    const capacity = capacityFor(tokens);
    const shape = [this.#rowCapacity, kvHeads, capacity, headDim];
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
  async #replace(name: string, shape: readonly number[]): Promise<void> {
    const old = this.#caches.get(name);
    const created = this.#engine.createState(shape, old && { state: old });
    const disposed = old?.dispose();
    this.#caches.set(name, await created);
    await disposed;
  }
}

/** Places that a row takes of the rotary tables and of the cache: the cache wastes those in front of its origin. */
function end({ length, origin }: RowState): number {
  return length + origin;
}

/** How the rows that stay are brought to the front when some of `count` are taken away: the last ones fill the gaps. */
function removalMoves(count: number, rows: ReadonlySet<number>): RowCopy[] {
  const kept = count - rows.size;
  const gaps = [...rows].filter((row) => row < kept).sort((a, b) => a - b);
  const movers = Array.from({ length: rows.size }, (_, i) => kept + i).filter((row) => !rows.has(row));
  return gaps.map((to, index) => ({ from: movers[index] as number, to }));
}
