/** @file A job followed to its end over connections that break and servers that are started again. */
import type { Job } from "./answers.ts";
import { ApiError } from "./api-error.ts";
import type { Client } from "./client.ts";

export type FollowEvent =
  | { readonly kind: "job"; readonly job: Job }
  /** The connection is gone; it is tried again after `wait` milliseconds. */
  | { readonly kind: "lost"; readonly wait: number };

const FIRST_WAIT = 500;
const LONGEST_WAIT = 8_000;

/** Pause after so many failures in a row, in milliseconds. */
export function pauseAfter(failures: number): number {
  return Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** (failures - 1));
}

export function hasEnded({ status }: Job): boolean {
  return status === "finished" || status === "failed" || status === "cancelled";
}

/**
 * Ends with the job, or when `signal` fires.
 * @throws ApiError where asking again changes nothing: an unknown job, a missing key.
 */
export async function* followJob(
  client: Pick<Client, "jobEvents">,
  id: string,
  signal: AbortSignal,
  pause: (milliseconds: number, signal: AbortSignal) => Promise<void> = sleep,
): AsyncGenerator<FollowEvent> {
  let failures = 0;
  while (!signal.aborted) {
    try {
      for await (const job of client.jobEvents(id, signal)) {
        failures = 0;
        yield { kind: "job", job };
        if (hasEnded(job)) return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && !error.isPassing) throw error;
    }
    failures++;
    const wait = pauseAfter(failures);
    yield { kind: "lost", wait };
    await pause(wait, signal);
  }
}

/** Resolves after a time, or at once when `signal` fires. */
export function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    signal.addEventListener("abort", done);
  });
}
