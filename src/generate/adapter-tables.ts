/**
 * @file The matrices of adapters beside the engine's sessions: tables with a place for each mix of adapters, of which a run's
 * rows choose theirs. Place 0 holds zeros and is no adapter.
 */
import type { AdapterLinear, LinearShape } from "../model/adapter.ts";
import { tableNames } from "../model/adapter.ts";
import type { Engine, Feeds, HostTensor, State } from "../runtime/engine.ts";
import type { AdapterMix } from "./adapter-mix.ts";

/** Places are kept for when their mix comes again, as long as all of them take no more bytes than this. */
const KEPT_BYTES = 2 ** 26;
/** Ranks of tables are multiples of it, so that few of them change when a mix of another rank comes. */
const RANK_STEP = 8;

interface Place {
  mix: AdapterMix | undefined;
  /** Turn of the last run that used it. */
  used: number;
}

/** The tables of one session's linears. */
export class AdapterTables {
  /** The linears that any adapter stands beside. */
  readonly names: ReadonlySet<string>;
  readonly #engine: Pick<Engine, "createState">;
  readonly #linears: readonly LinearShape[];
  readonly #expected: number;
  readonly #states = new Map<string, State>();
  #places: Place[] = [];
  #rank = 0;
  #turn = 0;
  #last: Promise<unknown> = Promise.resolve();

  /**
   * @param linears each once; at least one.
   * @param expected how many mixes there may be at a time, and of which rank, for {@link bytesToCome}
   */
  constructor(
    engine: Pick<Engine, "createState">,
    linears: readonly LinearShape[],
    expected: { readonly mixes: number; readonly rank: number },
  ) {
    this.#engine = engine;
    this.#linears = linears;
    this.#expected = (1 + expected.mixes) * this.#placeBytes(rankStep(expected.rank));
    this.names = new Set(linears.map(({ name }) => name));
  }

  /**
   * Puts the mixes of a run's rows into the tables and starts the run: the engine does what it is told in order, so that the
   * tables may change again as soon as it is told.
   * @param mixes one a row; undefined for no adapter.
   * @param run is given the tables, and the place of each row. int64 [rows]
   */
  async use<Result>(
    mixes: readonly (AdapterMix | undefined)[],
    run: (tables: Feeds, places: HostTensor) => Promise<Result>,
  ): Promise<Result> {
    const started = this.#last.then(async () => {
      const places = await this.#settle(mixes);
      const data = BigInt64Array.from(places, BigInt);
      // In an object, so that the run's end is not waited for here.
      return { run: run(Object.fromEntries(this.#states), { dtype: "int64", shape: [places.length], data }) };
    });
    this.#last = started.catch(() => {});
    return (await started).run;
  }

  /** What the tables may take of the engine's memory yet. */
  get bytesToCome(): number {
    return Math.max(0, this.#expected - this.#places.length * this.#placeBytes(this.#rank));
  }

  async #settle(mixes: readonly (AdapterMix | undefined)[]): Promise<number[]> {
    const own = mixes.map((mix) => (mix !== undefined && this.#touches(mix) ? mix : undefined));
    const wanted = new Map(own.flatMap((mix) => (mix === undefined ? [] : [[mix.key, mix] as const])));
    this.#turn++;
    const rank = Math.max(this.#rank, RANK_STEP, ...[...wanted.values()].map(rankOf));
    if (rank > this.#rank) this.#places = [];
    for (const place of this.#places) {
      if (place.mix !== undefined && wanted.has(place.mix.key)) place.used = this.#turn;
    }
    const missing = [...wanted.values()].filter((mix) => this.#placeOf(mix) === undefined);
    const free = this.#places.slice(1).filter(({ used }) => used !== this.#turn);
    const kept = Math.floor(KEPT_BYTES / this.#placeBytes(rank));
    const more = Math.max(0, missing.length - Math.max(0, free.length));
    const spare = this.#places.length + missing.length <= kept ? missing.length : more;
    if (this.#places.length === 0 || spare > 0)
      await this.#grow(Math.max(1, this.#places.length) + spare, rank);
    const oldest = this.#places.slice(1).sort((a, b) => a.used - b.used);
    for (const [index, mix] of missing.entries()) {
      const place = oldest[index] as Place;
      place.mix = mix;
      place.used = this.#turn;
      await this.#write(this.#places.indexOf(place), mix);
    }
    return own.map((mix) => (mix === undefined ? 0 : (this.#placeOf(mix) as number)));
  }

  #placeOf(mix: AdapterMix): number | undefined {
    const found = this.#places.findIndex((place) => place.mix?.key === mix.key);
    return found < 0 ? undefined : found;
  }

  /** Tables with more places, in which what was there stands as it did, unless the rank is another one. */
  async #grow(places: number, rank: number): Promise<void> {
    const sameRank = rank === this.#rank;
    for (const { name, inputs, outputs } of this.#linears) {
      const { down, up } = tableNames(name);
      for (const [side, width] of [
        [down, inputs],
        [up, outputs],
      ] as const) {
        const old = this.#states.get(side);
        const origin = old !== undefined && sameRank ? { state: old } : undefined;
        const created = await this.#engine.createState([places, 1, rank, width], origin);
        this.#states.set(side, created);
        await old?.dispose();
      }
    }
    this.#rank = rank;
    while (this.#places.length < places) this.#places.push({ mix: undefined, used: 0 });
  }

  async #write(place: number, mix: AdapterMix): Promise<void> {
    const rank = this.#rank;
    const writes = this.#linears.flatMap(({ name, inputs, outputs }) => {
      const { down, up } = joined(mix, { name, inputs, outputs }, rank);
      const names = tableNames(name);
      return [
        this.#states.get(names.down)?.write(down, place * down.length),
        this.#states.get(names.up)?.write(up, place * up.length),
      ];
    });
    await Promise.all(writes);
  }

  #touches({ parts }: AdapterMix): boolean {
    return parts.some(({ adapter }) => adapter.linears.some(({ name }) => this.names.has(name)));
  }

  #placeBytes(rank: number): number {
    const numbers = this.#linears.reduce((sum, { inputs, outputs }) => sum + inputs + outputs, 0);
    return numbers * rank * Float32Array.BYTES_PER_ELEMENT;
  }
}

/** Of a mix's sum: adapters stand behind each other along the rank. */
function rankOf({ parts }: AdapterMix): number {
  const sum = parts.reduce(
    (total, { adapter }) => total + Math.max(...adapter.linears.map(({ rank }) => rank)),
    0,
  );
  return rankStep(sum);
}

function rankStep(rank: number): number {
  return Math.ceil(rank / RANK_STEP) * RANK_STEP;
}

/** One linear's matrices of a mix, one adapter behind the other: down [rank, inputs], up [rank, outputs], scaled. */
function joined(
  { parts }: AdapterMix,
  { name, inputs, outputs }: LinearShape,
  rank: number,
): { readonly down: Float32Array; readonly up: Float32Array } {
  const down = new Float32Array(rank * inputs);
  const up = new Float32Array(rank * outputs);
  let first = 0;
  for (const { adapter, scale } of parts) {
    const own = adapter.linears.find((candidate) => candidate.name === name);
    if (own === undefined) continue;
    down.set(own.down, first * inputs);
    writeTransposed(own, scale * own.scale, up.subarray(first * outputs));
    first += own.rank;
  }
  return { down, up };
}

/** factor * Bᵀ. [outputs, rank] -> [rank, outputs] */
function writeTransposed({ up, rank, outputs }: AdapterLinear, factor: number, target: Float32Array): void {
  for (let output = 0; output < outputs; output++) {
    for (let r = 0; r < rank; r++) {
      target[r * outputs + output] = factor * (up[output * rank + r] as number);
    }
  }
}
