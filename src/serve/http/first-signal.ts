/** @file A signal that fires with the first of two. */

/**
 * Unlike `AbortSignal.any`, leaves nothing behind in a signal that lives as long as the server: dispose of it when it is no
 * longer asked.
 */
export function firstOf(one: AbortSignal, other: AbortSignal): { readonly signal: AbortSignal } & Disposable {
  const controller = new AbortController();
  const onOne = (): void => controller.abort(one.reason);
  const onOther = (): void => controller.abort(other.reason);
  if (one.aborted) onOne();
  else if (other.aborted) onOther();
  one.addEventListener("abort", onOne, { once: true });
  other.addEventListener("abort", onOther, { once: true });
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      one.removeEventListener("abort", onOne);
      other.removeEventListener("abort", onOther);
    },
  };
}
