/** @file The streams and signals that a command talks through; tests give their own. */
import type { ProgressStream } from "../node/progress-stream.ts";

export interface Terminal {
  /** Results: what a program would read. */
  readonly out: ProgressStream;
  /** Progress, notices and errors: what a person reads. */
  readonly err: ProgressStream;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Fires when the user interrupts. */
  readonly signal: AbortSignal;
}
