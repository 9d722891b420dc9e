/** @file Errors of the server that are no fault of a model or a file. */
import { type ErrorDetails, InputError } from "../../errors.ts";

/** As many jobs wait as may. */
export class QueueFullError extends InputError {
  /** Seconds after which it is worth asking again. */
  readonly retryAfter: number;
  constructor(retryAfter: number, details?: ErrorDetails) {
    super("the queue is full", { remedy: `try again in ${retryAfter} s`, ...details });
    this.retryAfter = retryAfter;
  }
}

/** An `Idempotency-Key` that was used for another request. */
export class IdempotencyError extends InputError {
  constructor() {
    super("was used for another request", {
      where: "Idempotency-Key",
      remedy: "use a new key for a new request",
    });
  }
}
