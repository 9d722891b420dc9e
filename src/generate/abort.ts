/** @file Waiting no longer than an AbortSignal allows. */
import { abortError, refuseAborted } from "../errors.ts";

/** A signal that fires with the first of others, with its reason. */
export interface Relay extends Disposable {
  readonly signal: AbortSignal;
}

/**
 * Unlike `AbortSignal.any`, whose signals stay on the lists of long-lived sources, it leaves nothing behind when it is
 * disposed: it does not fire any more then.
 */
export function relayed(...sources: readonly (AbortSignal | undefined)[]): Relay {
  const controller = new AbortController();
  const given = sources.filter((source) => source !== undefined);
  const fire = ({ target }: Event): void => controller.abort((target as AbortSignal).reason);
  const fired = given.find(({ aborted }) => aborted);
  if (fired === undefined) for (const source of given) source.addEventListener("abort", fire, { once: true });
  else controller.abort(fired.reason);
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      for (const source of given) source.removeEventListener("abort", fire);
    },
  };
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

/**
 * Disposes of a resource with its scope, but without waiting for that once the signal has fired: the engine may be in the
 * middle of something that uses it and cannot be stopped.
 */
export function promptly(resource: AsyncDisposable, signal: AbortSignal): AsyncDisposable {
  return {
    async [Symbol.asyncDispose]() {
      const disposed = Promise.resolve(resource[Symbol.asyncDispose]());
      if (signal.aborted) disposed.catch(() => {});
      else await disposed;
    },
  };
}
