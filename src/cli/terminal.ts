/** @file The streams and signals that a command talks through; tests give their own. */
import type { Readable } from "node:stream";
import type { ProgressStream } from "./progress-stream.ts";

export interface OutputStream extends ProgressStream {
  write(data: string | Uint8Array): unknown;
}

export interface Terminal {
  /** What is fed to a command that reads `-`. */
  readonly in: Readable;
  /** Results: what a program would read. */
  readonly out: OutputStream;
  /** Progress, notices and errors: what a person reads. */
  readonly err: ProgressStream;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Fires when the user interrupts. */
  readonly signal: AbortSignal;
}
