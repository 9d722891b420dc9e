/** @file How slowly a body may come: a client that sends a byte a second would hold its connection for minutes. */
import { ApiError } from "./api-error.ts";

export interface BodyPace {
  /** Milliseconds in which nothing is asked of it. */
  readonly graceMs: number;
  /** Bytes a second on the whole, behind that. */
  readonly bytesPerSecond: number;
}

/** Calls `refuse` once if a body does not keep the pace; ended by disposing it. */
export class PaceWatch implements Disposable {
  readonly #timer: NodeJS.Timeout;
  #bytes = 0;

  constructor({ graceMs, bytesPerSecond }: BodyPace, refuse: (error: ApiError) => void) {
    const started = performance.now();
    this.#timer = setInterval(() => {
      const beyondMs = performance.now() - started - graceMs;
      if (beyondMs <= 0 || this.#bytes >= (beyondMs / 1000) * bytesPerSecond) return;
      this[Symbol.dispose]();
      refuse(
        new ApiError(408, "The body of the request comes too slowly.", {
          code: "request_timeout",
          headers: { connection: "close" },
        }),
      );
    }, graceMs / 4);
    // A body is no reason for the process to stay.
    this.#timer.unref();
  }

  count(bytes: number): void {
    this.#bytes += bytes;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
