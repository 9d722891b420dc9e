/** @file Runs `nextstep synth`. */
import { writeStandIn } from "../evaluate/stand-in/write-stand-in.ts";
import { progressLine } from "./progress-line.ts";
import type { Terminal } from "./terminal.ts";

export interface SynthSettings {
  readonly shape: "14b" | "tiny";
  readonly bits: 4 | 8 | 16;
  readonly seed: number;
  readonly json?: true;
}

/** Writes a stand-in to `out`. @throws as {@link writeStandIn} does. */
export async function runSynth(out: string, settings: SynthSettings, terminal: Terminal): Promise<void> {
  const { json, ...options } = settings;
  const line = progressLine(terminal);
  const megabytes = (bytes: number): number => Math.round(bytes / 1e6);
  try {
    const written = await writeStandIn(out, {
      ...options,
      signal: terminal.signal,
      onProgress: ({ done, total }) => line.update("writing MB", megabytes(done), megabytes(total)),
    });
    const text = `${(written.bytes / 1e9).toFixed(2)} GB of weights in ${out}`;
    terminal.out.write(`${json === true ? JSON.stringify({ ...written, ...options }) : text}\n`);
  } finally {
    line.clear();
  }
}
