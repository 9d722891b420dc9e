/**
 * @file The loop that draws image tokens (docs/nextstep-spec.md 3.2), one of each picture a step: the image head is run
 * under each picture's own solver, and the backbone reads what came out. Pictures join and leave between steps, and no
 * number of one depends on another.
 */
import { InputError } from "../errors.ts";
import type { CachedRows } from "./cached-rows.ts";
import type { ModelSessions } from "./model-sessions.ts";
import { checkPositions } from "./position-limit.ts";
import { PromptStore } from "./prompt-store.ts";
import { readPrompts } from "./read-prompts.ts";
import { commonSignal, imageRow, pickRows, type Seat, seatsOf } from "./seat.ts";
import type { Slot } from "./slot.ts";
import { type Sampling, sampleTokens } from "./solver-chain.ts";
import { abortedOf, hasLeft, notFinite, passEvent, type TokenEvent } from "./token-event.ts";
import type { TokenRow } from "./token-feeds.ts";
import { normalizeToken } from "./token-norm.ts";

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
    const joining = slots.filter(({ canvas }) => canvas.forcedAhead() < canvas.count - canvas.next);
    for (const { canvas } of slots) canvas.pass(canvas.forcedAhead());
    if (joining.length === 0) return;
    const { apart, seats } = await this.#readIn(joining);
    try {
      await this.#exclusive(() => this.#admit(apart, seats));
    } finally {
      if (this.#cached !== apart) await apart[Symbol.asyncDispose]();
    }
  }

  /** Reads what seats of slots stand on, apart from the rows of those that are drawn. */
  async #readIn(joining: readonly Slot[]): Promise<{ apart: CachedRows; seats: readonly Seat[] }> {
    const { config } = this.#sessions.folder;
    const signal = this.#sessions.signal(commonSignal(joining));
    const positions = await Promise.all(joining.map((slot) => this.#generationPositions(slot)));
    const loading = this.#sessions.cachedRows(0, signal);
    // The engine makes the head while the prompts' files are read, and has it when it is first asked for.
    this.#sessions.imageHead(signal).catch(() => {});
    const apart = await loading;
    const rows = joining.flatMap(({ request, branches }) => request.rows.slice(0, branches));
    try {
      const hidden = await readPrompts(this.#sessions, apart, rows, { store: this.#prompts, signal });
      const seats = seatsOf(joining, hidden, config.hiddenSize, positions);
      await this.#readKnown(apart, seats, signal);
      return { apart, seats };
    } catch (error) {
      await apart[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * Draws one token of every slot. The engine reads on while the caller looks at what came out.
   * @throws EngineError when the engine fails, which ends all slots; what befalls one slot alone is among the events.
   */
  step(): Promise<readonly TokenEvent[]> {
    return this.#exclusive(async () => {
      await this.#reading;
      const failed = [...this.#seats.values()].flatMap(({ slot }): TokenEvent[] => {
        const error = abortedOf(slot, this.#sessions);
        return error === undefined ? [] : [{ kind: "failed", slot, error }];
      });
      await this.#remove(failed.map(({ slot }) => slot));
      await this.#reseat();
      const seats = [...this.#seats.values()];
      for (const seat of seats) this.#rewind(seat);
      const ready = seats.filter(({ slot, read }) => read === slot.canvas.next);
      const passed = ready.filter(({ slot }) => slot.canvas.stateOf(slot.canvas.next) === "forced");
      const events: TokenEvent[] = [...failed];
      for (const seat of passed) events.push(passEvent(seat, this.#conditionsOf(seat)));
      events.push(...(await this.#sample(ready.filter((seat) => !passed.includes(seat)))));
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
    if (seats.every(({ slot }) => slot.canvas.next === 0)) return;
    const { config } = this.#sessions.folder;
    const rows = seats.flatMap(({ slot: { canvas }, rows: { length } }) =>
      new Array<TokenRow>(length).fill(imageRow(canvas.tokens(), canvas.next, config.placeholder)),
    );
    const hidden = await apart.append(rows, { replay: true, signal });
    for (const seat of seats) {
      if (seat.slot.canvas.next > 0) seat.hidden = pickRows(hidden, seat.rows, config.hiddenSize);
      seat.read = seat.slot.canvas.next;
    }
  }

  async #admit(apart: CachedRows, seats: readonly Seat[]): Promise<void> {
    await this.#reading;
    const before = this.#cached?.lengths.length ?? 0;
    if (before === 0) {
      await this.#cached?.[Symbol.asyncDispose]();
      this.#cached = apart;
    } else await this.#cached?.adopt(apart);
    for (const seat of seats) {
      seat.rows = seat.rows.map((row) => row + before);
      this.#seats.set(seat.slot, seat);
    }
  }

  /** Slots that were rewound to where they are guided, and whose rows for that are gone, are read in anew. */
  async #reseat(): Promise<void> {
    const short = [...this.#seats.values()].filter(({ slot, rows }) => rows.length < slot.branches);
    if (short.length === 0) return;
    const slots = short.map(({ slot }) => slot);
    await this.#remove(slots);
    const { apart, seats } = await this.#readIn(slots);
    try {
      await this.#admit(apart, seats);
    } finally {
      if (this.#cached !== apart) await apart[Symbol.asyncDispose]();
    }
  }

  /** A canvas that was rewound: the rows forget what they read from there on, and read the cell in front of it again. */
  #rewind(seat: Seat): void {
    const { next } = seat.slot.canvas;
    if (next >= seat.read) return;
    seat.read = Math.max(0, next - 1);
    if (next === 0) seat.hidden = seat.promptHidden;
    seat.rows.forEach((row, branch) => {
      this.#cached?.truncate(row, (seat.prompts[branch] as number) + seat.read);
    });
  }

  async #sample(seats: readonly Seat[]): Promise<TokenEvent[]> {
    if (seats.length === 0) return [];
    const { engine, folder } = this.#sessions;
    const session = await this.#sessions.imageHead();
    const samplings = seats.map(
      (seat): Sampling => ({ slot: seat.slot, conditions: this.#conditionsOf(seat) }),
    );
    const tokens = await sampleTokens(samplings, { session, config: folder.config, engine });
    return samplings.map(({ slot, conditions }, index): TokenEvent => {
      const token = tokens[index] as Float32Array;
      const { canvas, request } = slot;
      if (request.useNorm) normalizeToken(token);
      if (!token.every(Number.isFinite)) return { kind: "failed", slot, error: notFinite(slot) };
      const cell = canvas.next;
      canvas.sample(token);
      return { kind: "token", slot, cell, token, conditions, finished: canvas.complete };
    });
  }

  /** Every slot's next token that its rows have not read; the state behind the last one would predict nothing. */
  async #readNext(): Promise<void> {
    const seats = [...this.#seats.values()];
    if (seats.length === 0 || this.#cached === undefined) return;
    const { placeholder, hiddenSize } = this.#sessions.folder.config;
    const rows: TokenRow[] = [];
    for (const { slot, rows: places, read } of seats) {
      const row = imageRow(slot.canvas.tokens(read, read + 1), 1, placeholder);
      for (const place of places) rows[place] = row;
    }
    const hidden = await this.#cached.append(rows);
    for (const seat of seats) {
      seat.hidden = pickRows(hidden, seat.rows, hiddenSize);
      seat.read++;
    }
  }

  /** Takes slots away, and rows of those that stay which guide nothing any more. */
  async #remove(slots: readonly Slot[]): Promise<void> {
    const leaving = slots.flatMap((slot) => this.#seats.get(slot) ?? []);
    for (const { slot } of leaving) this.#seats.delete(slot);
    const idle = [...this.#seats.values()].flatMap(({ slot, rows }) => rows.slice(slot.branches));
    const unused = new Set([...leaving.flatMap(({ rows }) => rows), ...idle]);
    if (unused.size === 0) return;
    const { hiddenSize } = this.#sessions.folder.config;
    for (const seat of this.#seats.values()) {
      seat.rows = seat.rows.slice(0, seat.slot.branches);
      seat.hidden = seat.hidden.subarray(0, seat.rows.length * hiddenSize);
    }
    const moves = await this.#cached?.remove(unused);
    const moved = new Map(moves?.map(({ from, to }) => [from, to]));
    for (const seat of this.#seats.values()) seat.rows = seat.rows.map((row) => moved.get(row) ?? row);
  }

  /** The table is indexed by the cell, whatever the shape of the picture, as published. */
  #conditionsOf({ slot, hidden, positions }: Seat): Float32Array {
    if (positions === undefined) return hidden;
    const width = this.#sessions.folder.config.hiddenSize;
    const offset = slot.canvas.next * width;
    return hidden.map((value, i) => value + (positions[offset + (i % width)] as number));
  }

  /**
   * The generation position embedding, if the model has one. The inference code of the velocity samplers does not know it
   * (docs/nextstep-spec.md 3.9).
   */
  async #generationPositions({ request, canvas }: Slot): Promise<Float32Array | undefined> {
    if (request.sampler !== "v1" && request.sampler !== "v1.1") return undefined;
    const { folder } = this.#sessions;
    const table = await folder.generationPositions();
    if (table === undefined) return undefined;
    const held = table.length / folder.config.hiddenSize;
    if (canvas.count <= held) return table;
    throw new InputError(
      `${canvas.count} tokens are more than the ${held} generation positions of this model`,
      {
        where: "size",
        remedy: "draw a smaller picture",
      },
    );
  }
}
