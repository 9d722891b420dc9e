/** @file A terminal for tests, which keeps what is written to it. */
import { Readable } from "node:stream";
import type { Terminal } from "./terminal.ts";

export interface TestTerminal extends Terminal {
  /** All that was written, as text. */
  readonly written: { readonly out: () => string; readonly err: () => string };
}

export interface TestTerminalOptions {
  readonly input?: string | Uint8Array;
  /** Whether both outputs are terminals. */
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly environment?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export function testTerminal(options: TestTerminalOptions = {}): TestTerminal {
  const { input = "", isTTY = false, columns = 80, environment = {} } = options;
  const recorder = () => {
    const chunks: Uint8Array[] = [];
    const write = (data: string | Uint8Array): number => chunks.push(Buffer.from(data));
    return { stream: { isTTY, columns, write }, text: () => Buffer.concat(chunks).toString() };
  };
  const [out, err] = [recorder(), recorder()];
  return {
    in: Readable.from([Buffer.from(input)]),
    out: out.stream,
    err: err.stream,
    environment,
    signal: options.signal ?? new AbortController().signal,
    written: { out: out.text, err: err.text },
  };
}
