/** @file Clients that keep a server busy while it is killed: what each was promised is noted. */
import { randomUUID } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import type { CounterRng } from "../../src/tensor/counter-rng.ts";
import { requestOf, type ServedWish, WISHES } from "./serve-wishes.ts";

/** Between two tries, and two requests of a client. */
const PAUSE_MS = 300;
/** Of several seconds that a job takes. */
const LEAVES_MS = 1500;

/** What servers have said to clients. */
export class Promises {
  /** Jobs by identifier that were answered for. */
  readonly accepted = new Map<string, ServedWish>();
  /** Jobs whose cancellation was answered, with what they were called then. */
  readonly cancelled = new Map<string, string>();
  /** Jobs that clients left or asked to cancel. */
  readonly mayBeCancelled = new Set<string>();
  /** Requests without a key whose answer never came, by prompt: each may stand for one job. */
  readonly unanswered = new Map<string, number>();
  /** Answers that should not have been. */
  readonly wrong: string[] = [];
  /** Pictures that were answered. */
  answered = 0;

  lostAnswer({ prompt }: ServedWish): void {
    this.unanswered.set(prompt, (this.unanswered.get(prompt) ?? 0) + 1);
  }
}

export interface Clients {
  readonly promises: Promises;
  /** No new requests; those under way come to their end. */
  stop(): Promise<void>;
}

/** @param urlOf where a server may be reached just now */
export function startClients(count: number, rng: CounterRng, urlOf: () => string | undefined): Clients {
  const promises = new Promises();
  const stopping = new AbortController();
  const running = Array.from({ length: count }, async () => {
    while (!stopping.signal.aborted) {
      const wish = WISHES[rng.below(WISHES.length)];
      if (wish !== undefined) await new Client(promises, rng, urlOf).ask(wish);
      await wait(PAUSE_MS);
    }
  });
  return {
    promises,
    async stop() {
      stopping.abort();
      await Promise.all(running);
    },
  };
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

class Client {
  readonly #promises: Promises;
  readonly #rng: CounterRng;
  readonly #urlOf: () => string | undefined;

  constructor(promises: Promises, rng: CounterRng, urlOf: () => string | undefined) {
    this.#promises = promises;
    this.#rng = rng;
    this.#urlOf = urlOf;
  }

  /** Asks until there is an answer, if it has a key to ask again with; else once. */
  async ask(wish: ServedWish): Promise<void> {
    const key = wish.manner !== "leaves" && this.#rng.below(2) === 0 ? randomUUID() : undefined;
    const request = await requestOf(wish, key);
    for (;;) {
      const answer = await this.#send(wish.path, request, wish.manner === "leaves");
      if (answer !== undefined && answer.status !== 429) return this.#note(wish, answer);
      if (key === undefined) {
        if (answer === undefined) this.#promises.lostAnswer(wish);
        return;
      }
      await wait(PAUSE_MS);
    }
  }

  async #note(wish: ServedWish, { status, text }: Answer): Promise<void> {
    const noted = this.#promises;
    if (wish.fails && status === 400) return noted.lostAnswer(wish);
    if (status !== 200 && status !== 202) {
      noted.wrong.push(`"${wish.prompt}" was answered with ${status}: ${text.slice(0, 300)}`);
      return;
    }
    const id = jobOf(text);
    if (id === undefined) {
      // A stream that was cut off before it named its job.
      return noted.lostAnswer(wish);
    }
    noted.accepted.set(id, wish);
    if (status === 200) noted.answered++;
    if (wish.manner === "cancels") await this.#cancel(id);
  }

  async #cancel(id: string): Promise<void> {
    await wait(this.#rng.below(LEAVES_MS));
    this.#promises.mayBeCancelled.add(id);
    const answer = await this.#send(`/v1/jobs/${id}/cancel`, { method: "POST" }, false);
    if (answer?.status !== 200) return;
    const { status }: { readonly status: string } = JSON.parse(answer.text);
    this.#promises.cancelled.set(id, status);
  }

  /** Undefined where no answer came, or not all of it. */
  async #send(path: string, request: RequestInit, leaves: boolean): Promise<Answer | undefined> {
    const url = this.#urlOf();
    if (url === undefined) {
      await wait(PAUSE_MS);
      return undefined;
    }
    const signal = leaves ? AbortSignal.timeout(1 + this.#rng.below(LEAVES_MS)) : null;
    try {
      const answer = await fetch(`${url}${path}`, { ...request, signal });
      return { status: answer.status, text: await answer.text() };
    } catch {
      return undefined;
    }
  }
}

/** Its identifier stands in every answer, and in every event of a stream. */
function jobOf(text: string): string | undefined {
  return /"id":"([0-9a-f-]{36})"/.exec(text)?.[1];
}
