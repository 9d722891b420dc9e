/** @file What makes a command end in order: signals, and a reader that has gone. */
import type { EventEmitter } from "node:events";

/** Exit codes as shells expect them: 128 and the number of the signal. */
const SIGNAL_EXITS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
/** That of SIGPIPE, which Node turns into errors of the stream. */
const READER_GONE = 141;

export interface Interrupt {
  readonly signal: AbortSignal;
  /** Exit code of a command that was interrupted. */
  readonly exitCode: number;
}

/**
 * Aborts at the first signal, or when a stream can no longer be written to (its reader or its terminal has gone), so
 * that work can be saved. A second signal of a kind ends the process at once.
 */
export function listenForInterrupts(process: EventEmitter, streams: readonly EventEmitter[]): Interrupt {
  const controller = new AbortController();
  let exitCode: number = SIGNAL_EXITS.SIGINT;
  const abort = (code: number): void => {
    if (controller.signal.aborted) return;
    exitCode = code;
    controller.abort();
  };
  for (const [name, code] of Object.entries(SIGNAL_EXITS)) process.once(name, () => abort(code));
  // Every write to such a stream fails again; one without a listener would end the process before it has saved.
  for (const stream of streams) stream.on("error", () => abort(READER_GONE));
  return {
    signal: controller.signal,
    get exitCode() {
      return exitCode;
    },
  };
}
