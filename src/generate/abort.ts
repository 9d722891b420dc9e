/** @file Honouring an AbortSignal: the one way in which work that is cancelled ends. */
import { AbortedError, NextStepError } from "../errors.ts";

/** @throws AbortedError, or the reason of the signal if that is an error of this package. */
export function refuseAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortError(signal);
}

/** What a cancelled call throws: {@link AbortedError}, unless the signal gives an error of this package as its reason. */
export function abortError({ reason }: AbortSignal): NextStepError {
  return reason instanceof NextStepError ? reason : new AbortedError("cancelled", { cause: reason });
}

/**
 * What `work` gives, or an error as soon as the signal says so; the work itself goes on where it cannot be stopped.
 * @throws as {@link refuseAborted} does
 */
export async function untilAborted<Result>(
  work: Promise<Result>,
  signal: AbortSignal | undefined,
): Promise<Result> {
  if (signal === undefined) return work;
  // Whoever leaves early does not hear how it ended.
  work.catch(() => {});
  refuseAborted(signal);
  let leave = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    leave = () => reject(abortError(signal));
    signal.addEventListener("abort", leave, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", leave);
  }
}
