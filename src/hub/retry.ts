/** @file Trying again what may go better the next time, a bounded number of times and with growing pauses. */
import { setTimeout as wait } from "node:timers/promises";
import { abortError, type DownloadError, refuseAborted } from "../errors.ts";

/** Time as retries see it; tests give their own. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** @throws AbortedError, or the signal's own error, when it fires. */
  sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  async sleep(milliseconds, signal) {
    refuseAborted(signal);
    try {
      await wait(milliseconds, undefined, signal === undefined ? {} : { signal });
    } catch (error) {
      throw signal?.aborted === true ? abortError(signal) : error;
    }
  },
};

/** A failure that another try may not meet. */
export class PassingFailure extends Error {
  /** What is thrown when there is no other try. */
  readonly failure: DownloadError;
  /** The server's own wish. */
  readonly waitMs: number | undefined;

  constructor(failure: DownloadError, waitMs?: number) {
    super(failure.message, { cause: failure });
    this.failure = failure;
    this.waitMs = waitMs;
  }
}

/** A try that failed, and the next one. */
export interface Retry {
  readonly reason: string;
  readonly waitMs: number;
}

export interface RetryOptions {
  /** Tries in a row without progress. */
  readonly tries: number;
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
  readonly onRetry: (retry: Retry) => void;
}

const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 30_000;
/** A server that asks for more is taken at its word: the user comes back later. */
const LONGEST_WISH_MS = 5 * 60_000;

/**
 * Calls `attempt` until it ends. It is told how to report progress, which makes the count start anew.
 * @throws the failure of the last {@link PassingFailure}, or at once what else is thrown.
 */
export async function retrying<Result>(
  { tries, clock, signal, onRetry }: RetryOptions,
  attempt: (progressed: () => void) => Promise<Result>,
): Promise<Result> {
  let failed = 0;
  for (;;) {
    refuseAborted(signal);
    try {
      return await attempt(() => {
        failed = 0;
      });
    } catch (error) {
      if (signal?.aborted === true) throw abortError(signal);
      if (!(error instanceof PassingFailure)) throw error;
      failed++;
      const { failure, waitMs: wish } = error;
      if (failed >= tries || (wish ?? 0) > LONGEST_WISH_MS) throw failure;
      const waitMs = wish ?? Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (failed - 1));
      const { where, reason } = failure;
      onRetry({ reason: where === undefined ? reason : `${where}: ${reason}`, waitMs });
      await clock.sleep(waitMs, signal);
    }
  }
}

/** The wait that a Retry-After header asks for, in seconds or as a date (RFC 9110, 10.2.3). */
export function retryAfterMs(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  // Only the form with a day's name: Date.parse would read much else.
  const date = /^[A-Z][a-z]{2,8}, /.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
