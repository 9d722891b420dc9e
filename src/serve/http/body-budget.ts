/** @file Memory that bodies of requests take while they are read, of all requests together. */
import { unavailable } from "./api-error.ts";

/** Seconds after which uploads of others are likely to be through. */
const RETRY_AFTER = 2;

export class BodyBudget {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  /** @throws ApiError of status 503 where that many bytes are not to be had now. */
  take(bytes: number): void {
    if (bytes > this.#left) {
      throw unavailable("Too many uploads at once. Please try again.", "busy", RETRY_AFTER);
    }
    this.#left -= bytes;
  }

  give(bytes: number): void {
    this.#left += bytes;
  }
}
