/**
 * @file The loop that draws image tokens (docs/nextstep-spec.md 3.2), one of each picture a step: the image head is run
 * under each picture's own solver, and the backbone reads what came out. Pictures join and leave between steps, and no
 * number of one depends on another.
 */
import type { AppendOptions, CachedRows } from "./cached-rows.ts";
import type { ModelSessions } from "./model-sessions.ts";
import { timed } from "./model-work.ts";
import { checkPositions } from "./position-limit.ts";
import { PromptStore } from "./prompt-store.ts";
import { readPrompts } from "./read-prompts.ts";
import { cellStates, commonSignal, generationPositions, imageRow, type Seat, seatsOf } from "./seat.ts";
import type { Slot } from "./slot.ts";
import { type Sampling, sampleTokens } from "./solver-chain.ts";
import { abortedOf, failedBy, hasLeft, passCell, type TokenEvent } from "./token-event.ts";
import type { TokenRow } from "./token-feeds.ts";

export class TokenLoop implements AsyncDisposable {
  readonly #sessions: ModelSessions;
  readonly #prompts: PromptStore;
  readonly #seats = new Map<Slot, Seat>();
  #cached: CachedRows | undefined;
  /** What the engine still reads after a step. */
  #reading: Promise<void> = Promise.resolve();
  #last: Promise<unknown> = Promise.resolve();

  /** @param prompts read before, and where those that are read are kept; default: none. */
  constructor(sessions: ModelSessions, prompts: PromptStore = new PromptStore(sessions, 0)) {
    this.#sessions = sessions;
    this.#prompts = prompts;
  }

  /** Of the keys and values that are in memory. */
  get cacheBytes(): number {
    return this.#cached?.bytes ?? 0;
  }

  /** Slots that are drawn. */
  get slots(): readonly Slot[] {
    return [...this.#seats.keys()];
  }

  /**
   * Reads the slots' prompts and what is known of their pictures, beside the steps that go on meanwhile, then seats them.
   * Slots whose pictures are complete are passed over.
   * @throws InputError for prompts and pictures beyond the model's positions, before any weight is read; AbortedError.
   */
  async join(...slots: readonly Slot[]): Promise<void> {
    const { config } = this.#sessions.folder;
    for (const { request, canvas } of slots) {
      checkPositions(request.rows, canvas.count, config, request.name);
    }
    const joining = slots.filter(({ canvas }) => !canvas.known);
    for (const { canvas } of slots) canvas.pass(canvas.forcedAhead());
    if (joining.length === 0) return;
    const { apart, seats } = await this.#readIn(joining);
    await this.#exclusive(() => this.#seat(apart, seats));
  }

  /** Reads what seats of slots stand on, apart from the rows of those that are drawn. */
  async #readIn(joining: readonly Slot[]): Promise<{ apart: CachedRows; seats: readonly Seat[] }> {
    const { config } = this.#sessions.folder;
    const signal = this.#sessions.signal(commonSignal(joining));
    const positions = await Promise.all(
      joining.map((slot) => generationPositions(slot, this.#sessions.folder)),
    );
    const loading = this.#sessions.cachedRows(0, signal);
    // The engine makes the head while the prompts' files are read, and has it when it is first asked for.
    this.#sessions.imageHead(signal).catch(() => {});
    const apart = await loading;
    // A canvas may be rewound meanwhile: what is read is settled here, and the next step sees how far it has come.
    const prompts = joining.map(({ request, branches }) => request.rows.slice(0, branches));
    try {
      const hidden = await readPrompts(this.#sessions, apart, prompts.flat(), {
        store: this.#prompts,
        signal,
      });
      const seats = seatsOf(joining, prompts, hidden, config.hiddenSize, positions);
      await this.#readKnown(apart, seats, signal);
      return { apart, seats };
    } catch (error) {
      await apart[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * Draws one token of every slot, or as many as its order draws together. The engine reads on while the caller looks at
   * what came out.
   * @throws EngineError when the engine fails, which ends all slots; what befalls one slot alone is among the events.
   */
  step(): Promise<readonly TokenEvent[]> {
    return this.#exclusive(async () => {
      await this.#reading;
      const aborted = this.slots.flatMap((slot) => abortedOf(slot, this.#sessions));
      await this.#remove(aborted.map(({ slot }) => slot));
      const failed = [...aborted, ...(await this.#reseat())];
      const seats = [...this.#seats.values()];
      for (const seat of seats) this.#rewind(seat);
      const ready = seats.filter(({ slot, read }) => read === slot.canvas.next);
      const events = [...failed, ...(await this.#passWaves(ready))];
      await this.#remove(events.filter(hasLeft).map(({ slot }) => slot));
      this.#reading = this.#readNext();
      // The next step meets the error.
      this.#reading.catch(() => {});
      return events;
    });
  }

  /** Gives up a slot's place; one that has left already stays away. */
  leave(slot: Slot): Promise<void> {
    return this.#exclusive(async () => {
      await this.#reading.catch(() => {});
      await this.#remove([slot]);
    });
  }

  /** Ends all slots. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#exclusive(async () => {
      await this.#reading.catch(() => {});
      this.#seats.clear();
      await this.#cached?.[Symbol.asyncDispose]();
      this.#cached = undefined;
    });
  }

  /** One after another: rows do not move while they are read. */
  #exclusive<Result>(work: () => Promise<Result>): Promise<Result> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => {});
    return result;
  }

  /** Reads the cells that are known in front of each picture's first open one, as they were read when they were drawn. */
  async #readKnown(apart: CachedRows, seats: readonly Seat[], signal: AbortSignal): Promise<void> {
    const wanted = seats.filter(({ slot }) => slot.canvas.next > 0);
    if (wanted.length === 0) return;
    await this.#read(apart, wanted, ({ slot }) => slot.canvas.next, { replay: true, signal });
  }

  /** Takes over the rows of seats, which were read apart from those that are there. */
  async #seat(apart: CachedRows, seats: readonly Seat[]): Promise<void> {
    let before = 0;
    try {
      await this.#reading;
      before = this.#cached?.lengths.length ?? 0;
      if (before === 0) {
        await this.#cached?.[Symbol.asyncDispose]();
        this.#cached = apart;
      } else await this.#cached?.adopt(apart);
    } finally {
      if (this.#cached !== apart) await apart[Symbol.asyncDispose]();
    }
    for (const seat of seats) {
      seat.rows = seat.rows.map((row) => row + before);
      this.#seats.set(seat.slot, seat);
    }
  }

  /**
   * Slots that were rewound to where they are guided, and whose rows for that are gone, are read in anew. What keeps one
   * from it befalls that one alone.
   */
  async #reseat(): Promise<readonly TokenEvent[]> {
    const short = [...this.#seats.values()].filter(({ slot, rows }) => rows.length < slot.branches);
    const failed: TokenEvent[] = [];
    for (const { slot } of short) {
      await this.#remove([slot]);
      try {
        const { apart, seats } = await this.#readIn([slot]);
        await this.#seat(apart, seats);
      } catch (error) {
        failed.push(failedBy(slot, error));
      }
    }
    return failed;
  }

  /** A canvas that was rewound: the rows forget what they read from there on, and read the cell in front of it again. */
  #rewind(seat: Seat): void {
    const { next } = seat.slot.canvas;
    if (next >= seat.read) return;
    seat.read = next === 0 ? 0 : seat.slot.canvas.order.waveStart(next - 1);
    if (next === 0) seat.hidden = [seat.promptHidden];
    seat.rows.forEach((row, branch) => {
      this.#cached?.truncate(row, (seat.prompts[branch] as number) + seat.read);
    });
  }

  /** Draws the cells of the seats' next waves, or passes those that are known. */
  async #passWaves(seats: readonly Seat[]): Promise<TokenEvent[]> {
    const waves = seats.map((seat) => ({ seat, cells: this.#waveOf(seat) }));
    const open = waves.flatMap(({ cells }) => cells).filter(({ forced }) => !forced);
    const tokens = await this.#sample(open);
    const drawn = new Map(open.map((cell, index) => [cell, tokens[index] as Float32Array]));
    return waves.flatMap(({ seat: { slot }, cells }) => {
      // A canvas that was rewound while the engine worked has no use for what came out.
      if (slot.canvas.next !== cells[0]?.turn) return [];
      const events: TokenEvent[] = [];
      for (const cell of cells) {
        const event = passCell(slot, cell, drawn.get(cell));
        events.push(event);
        if (event.kind === "failed") break;
      }
      return events;
    });
  }

  /** The cells of a seat's next wave. */
  #waveOf(seat: Seat): (Sampling & { readonly forced: boolean })[] {
    const { slot } = seat;
    const { order, next } = slot.canvas;
    return order.wave(next).map((cell, index) => ({
      slot,
      turn: next + index,
      conditions: this.#conditionsOf(seat, index),
      forced: slot.canvas.stateOf(cell) === "forced",
    }));
  }

  async #sample(samplings: readonly Sampling[]): Promise<Float32Array[]> {
    if (samplings.length === 0) return [];
    const { engine, folder, headAdapters: adapters } = this.#sessions;
    const session = await this.#sessions.imageHead();
    const { result, seconds } = await timed(() =>
      sampleTokens(samplings, { session, config: folder.config, engine, adapters }),
    );
    const steps = samplings.map(({ slot, turn }) => slot.table(turn).length);
    this.#sessions.onWork({
      kind: "head",
      tokens: samplings.length,
      steps: steps.reduce((sum, own) => sum + own, 0),
      longest: Math.max(...steps),
      seconds,
    });
    return result;
  }

  /** Every slot's next wave that its rows have not read; the states behind the last one would predict nothing. */
  async #readNext(): Promise<void> {
    // Who was rewound meanwhile forgets first, at the next step.
    const seats = [...this.#seats.values()].filter(({ slot, read }) => read < slot.canvas.next);
    if (seats.length === 0 || this.#cached === undefined) return;
    const cached = this.#cached;
    const { seconds } = await timed(() =>
      this.#read(cached, seats, ({ slot, read }) => slot.canvas.order.waveEnd(read)),
    );
    this.#sessions.onWork({ kind: "backbone", rows: cached.lengths.length, seconds });
  }

  /** Reads what is known of pictures, each up to a turn of its own, and takes over the states that predict what follows. */
  async #read(
    cached: CachedRows,
    seats: readonly Seat[],
    upTo: (seat: Seat) => number,
    options: AppendOptions = {},
  ): Promise<void> {
    const { placeholder, hiddenSize } = this.#sessions.folder.config;
    const rows = cached.lengths.map((): TokenRow => ({ ids: [] }));
    // Settled before anything is awaited: a canvas may be rewound while it is read.
    const ends = seats.map(upTo);
    seats.forEach((seat, index) => {
      const to = ends[index] as number;
      seat.rows.forEach((place, branch) => {
        rows[place] = imageRow(seat.slot, seat.read, to, seat.prompts[branch] as number, placeholder);
      });
    });
    // Tokens that are read together do not change each other's bits in a replay alone.
    const replay = rows.some(({ ids }) => ids.length > 1);
    const states = await cached.append(rows, { replay, ...options });
    let count = 0;
    const first = rows.map(({ layout }) => {
      const own = count;
      count += layout?.picks.length ?? 1;
      return own;
    });
    for (const [index, seat] of seats.entries()) {
      seat.read = ends[index] as number;
      const cells = seat.slot.canvas.order.wave(seat.read).length;
      const own = seat.rows.map((place) => first[place] as number);
      seat.hidden = cellStates(states, own, cells, hiddenSize);
    }
  }

  /** Takes slots away, and rows of those that stay which guide nothing any more. */
  async #remove(slots: readonly Slot[]): Promise<void> {
    const leaving = slots.flatMap((slot) => this.#seats.get(slot) ?? []);
    for (const { slot } of leaving) this.#seats.delete(slot);
    const idle = [...this.#seats.values()].flatMap(({ slot, rows }) => rows.slice(slot.branches));
    const unused = new Set([...leaving.flatMap(({ rows }) => rows), ...idle]);
    if (unused.size === 0) return;
    for (const seat of this.#seats.values()) seat.rows = seat.rows.slice(0, seat.slot.branches);
    const moves = await this.#cached?.remove(unused);
    const moved = new Map(moves?.map(({ from, to }) => [from, to]));
    for (const seat of this.#seats.values()) seat.rows = seat.rows.map((row) => moved.get(row) ?? row);
  }

  /** What predicts a cell of the next wave. The table is indexed by the cell, whatever the shape of the picture, as published. */
  #conditionsOf({ slot: { canvas }, hidden, positions }: Seat, index: number): Float32Array {
    const states = hidden[index] as Float32Array;
    if (positions === undefined) return states;
    const width = this.#sessions.folder.config.hiddenSize;
    const offset = canvas.order.cellAt(canvas.next + index) * width;
    return states.map((value, i) => value + (positions[offset + (i % width)] as number));
  }
}
