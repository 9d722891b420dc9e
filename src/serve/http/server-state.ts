/** @file Where the server is in its life: loading, ready, or draining. */

import { setMaxListeners } from "node:events";

export type Phase = "loading" | "ready" | "draining";

export class ServerState {
  #phase: Phase = "loading";
  readonly #stopping = new AbortController();

  constructor() {
    // One for each answer that waits: their number is bounded by that of connections.
    setMaxListeners(0, this.#stopping.signal);
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** Fires when answers that still wait are to end. */
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  /** The model has drawn its first token. */
  ready(): void {
    if (this.#phase === "loading") this.#phase = "ready";
  }

  /** No new jobs are taken; what is being answered goes on. */
  drain(): void {
    this.#phase = "draining";
  }

  /** Ends what is still being answered. */
  stop(): void {
    this.#phase = "draining";
    this.#stopping.abort();
  }
}
