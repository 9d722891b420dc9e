/** @file Where the writers of this room put their bytes, front to back. */

export interface ByteSink {
  /** For messages. */
  readonly name: string;
  /** Bytes written so far. */
  readonly position: number;
  /** Appends all of `bytes`. */
  write(bytes: Uint8Array): Promise<void>;
}
