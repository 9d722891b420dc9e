/**
 * @file One token loop for all that a model draws at the same time: whoever wants slots drawn brings them at any moment, and
 * each step reads the weights once for everybody. No bit of a picture depends on its company ({@link TokenLoop}).
 */
import { InputError } from "../errors.ts";
import type { NextStepConfig } from "../model/config.ts";
import { untilAborted } from "./abort.ts";
import { CachedRows } from "./cached-rows.ts";
import { Inbox } from "./inbox.ts";
import type { ModelSessions } from "./model-sessions.ts";
import type { ModelLoad } from "./model-work.ts";
import { PromptStore } from "./prompt-store.ts";
import { commonSignal } from "./seat.ts";
import type { Slot } from "./slot.ts";
import { hasLeft, type TokenEvent } from "./token-event.ts";
import { placesOf } from "./token-feeds.ts";
import { TokenLoop } from "./token-loop.ts";

export interface SharedLoopOptions {
  /** Most slots in the loop at once; more wait. Default: no bound. */
  readonly maxSlots?: number | undefined;
  /**
   * Bytes of keys and values that slots drawn together may take; more wait. A slot that is alone is drawn whatever it
   * takes. Default: no bound.
   */
  readonly cacheBytes?: number | undefined;
  /** Bytes of keys and values of prompts that are kept when they have been read, for those who bring them again. Default 0. */
  readonly promptBytes?: number;
  /** Looks at slots before they are taken in, beside those that are under way; throws to refuse them. Default: takes all. */
  readonly check?: (slots: readonly Slot[], underWay: UnderWay) => void;
}

/** What a loop is at. */
export interface UnderWay {
  /** Drawn, or waiting to be. */
  readonly slots: readonly Slot[];
  /** Of the keys and values that they have in memory by now. */
  readonly cacheBytes: number;
}

export type TokenDrawn = TokenEvent & { readonly kind: "token" };

/** Slots that were brought together. */
interface Party {
  /** Not yet in the loop, in order. */
  readonly waiting: Slot[];
  /** Of which more will be heard. */
  readonly open: Set<Slot>;
  /** What became of them, a list a step. */
  readonly inbox: Inbox<readonly TokenEvent[]>;
}

export class SharedLoop {
  readonly #sessions: ModelSessions;
  readonly #maxSlots: number;
  readonly #cacheBytes: number;
  readonly #prompts: PromptStore;
  readonly #check: SharedLoopOptions["check"];
  /** In the order in which they came. */
  readonly #parties = new Set<Party>();
  #loop: TokenLoop | undefined;
  /** Whose prompts are being read. */
  #joining: readonly Slot[] = [];
  #running = false;

  constructor(
    sessions: ModelSessions,
    {
      maxSlots = Number.POSITIVE_INFINITY,
      cacheBytes = Number.POSITIVE_INFINITY,
      promptBytes = 0,
      check,
    }: SharedLoopOptions = {},
  ) {
    this.#sessions = sessions;
    this.#maxSlots = maxSlots;
    this.#cacheBytes = cacheBytes;
    this.#check = check;
    this.#prompts = new PromptStore(sessions, promptBytes);
  }

  /** Slots for which there is no room beside the others; not those that are about to join. */
  get waiting(): number {
    const waiting = [...this.#parties].flatMap((party) => party.waiting);
    return waiting.length - this.#roomFor(waiting, [...(this.#loop?.slots ?? []), ...this.#joining]);
  }

  /** What it is at. */
  get load(): ModelLoad {
    return {
      pictures: this.drawn,
      cacheBytes: this.#loop?.cacheBytes ?? 0,
      cacheLimit: this.#cacheBytes,
      promptBytes: this.#prompts.bytes,
    };
  }

  /** Slots in the loop. */
  get drawn(): number {
    return this.#loop?.slots.length ?? 0;
  }

  /**
   * Draws slots from beginning to end, one yield for each step that one of them took part in. First come, first served;
   * slots for which there is no room yet follow when others have left. The reader may be slow: nobody waits for it.
   * @throws InputError for a slot that comes twice; what {@link SharedLoopOptions.check} does; what befalls any of the slots, after which the others of this call
   * are given up; AbortedError.
   */
  async *draw(slots: readonly Slot[]): AsyncGenerator<readonly TokenDrawn[], void> {
    if (slots.length === 0) return;
    this.#refuseRepeated(slots);
    // Nothing is awaited between this and the party's coming: who asks at the same moment sees it.
    this.#check?.(slots, {
      slots: [...this.#parties].flatMap(({ open }) => [...open]),
      cacheBytes: this.#loop?.cacheBytes ?? 0,
    });
    const signal = this.#sessions.signal(commonSignal(slots));
    const party: Party = { waiting: [...slots], open: new Set(slots), inbox: new Inbox() };
    this.#parties.add(party);
    const events = party.inbox.read();
    try {
      void this.#run();
      for (;;) {
        const next = await untilAborted(events.next(), signal);
        if (next.done === true) return;
        yield next.value.map((event) => {
          if (event.kind === "failed") throw event.error;
          return event;
        });
      }
    } finally {
      this.#parties.delete(party);
      // Nobody waits for this: the engine may be in the middle of a run that cannot be stopped.
      for (const slot of party.open) this.#loop?.leave(slot).catch(() => {});
    }
  }

  /** One that is drawn in two places would be passed twice a step. */
  #refuseRepeated(slots: readonly Slot[]): void {
    const open = [...this.#parties].flatMap((party) => [...party.open]);
    const seen = new Set(open);
    for (const slot of slots) {
      if (seen.has(slot)) throw new InputError("is drawn already", { where: slot.request.name });
      seen.add(slot);
    }
  }

  /** Steps as long as there is anybody. What fails as a whole is told to all who are there, and the next start afresh. */
  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    const loop = new TokenLoop(this.#sessions, this.#prompts);
    this.#loop = loop;
    let joining: Promise<void> | undefined;
    try {
      while (this.#parties.size > 0 || loop.slots.length > 0) {
        joining ??= this.#admit(loop)?.finally(() => {
          joining = undefined;
        });
        if (loop.slots.length > 0) this.#tell(await loop.step());
        else await joining;
      }
    } catch (error) {
      for (const party of this.#parties) party.inbox.end(error);
      this.#parties.clear();
    } finally {
      await joining;
      this.#loop = undefined;
      await loop[Symbol.asyncDispose]().catch(() => {});
      this.#running = false;
      // Whoever came while the last caches were given back.
      if (this.#parties.size > 0) void this.#run();
    }
  }

  /** Seats as many of the slots that wait longest as there is room for; they read their prompts beside the steps. */
  #admit(loop: TokenLoop): Promise<void> | undefined {
    const party = [...this.#parties].find(({ waiting }) => waiting.length > 0);
    if (party === undefined) return undefined;
    const room = this.#roomFor(party.waiting, loop.slots);
    if (room === 0) return undefined;
    const slots = party.waiting.splice(0, room);
    return this.#join(loop, party, slots);
  }

  async #join(loop: TokenLoop, party: Party, slots: readonly Slot[]): Promise<void> {
    // The loop passes over pictures all of whose tokens are known.
    const known = slots.filter(({ canvas }) => canvas.known);
    this.#joining = slots;
    try {
      await loop.join(...slots);
    } catch (error) {
      party.inbox.end(error);
      this.#parties.delete(party);
      return;
    } finally {
      this.#joining = [];
    }
    // Who left while its prompt was read; an engine that fails at this fails at the next step, which tells everybody.
    if (!this.#parties.has(party)) await Promise.allSettled(slots.map((slot) => loop.leave(slot)));
    this.#settle(party, known);
  }

  #tell(events: readonly TokenEvent[]): void {
    for (const party of [...this.#parties]) {
      const own = events.filter(({ slot }) => party.open.has(slot));
      if (own.length > 0) party.inbox.put(own);
      this.#settle(
        party,
        own.filter(hasLeft).map(({ slot }) => slot),
      );
    }
  }

  #settle(party: Party, done: readonly Slot[]): void {
    for (const slot of done) party.open.delete(slot);
    if (party.open.size > 0) return;
    party.inbox.end();
    this.#parties.delete(party);
  }

  /** How many of the slots that wait may join those that are drawn; of slots that are alone, one at least. */
  #roomFor(waiting: readonly Slot[], drawn: readonly Slot[]): number {
    const { config } = this.#sessions.folder;
    let room = 0;
    for (const slot of waiting) {
      const together = [...drawn, ...waiting.slice(0, room), slot];
      if (together.length > this.#maxSlots) break;
      if (together.length > 1 && cacheSize(together, config) > this.#cacheBytes) break;
      room++;
    }
    return room;
  }
}

/** Bytes of keys and values of slots that are drawn together: each row has as many places as the longest. */
function cacheSize(slots: readonly Slot[], config: NextStepConfig): number {
  const rows = slots.reduce((sum, { branches }) => sum + branches, 0);
  const places = Math.max(
    ...slots.map(({ request, canvas }) => Math.max(...request.rows.map(placesOf)) + canvas.count),
  );
  return CachedRows.bytes(config, rows, places);
}
