/** @file What the model thinks before it draws, on standard error as it comes. */
import { printableLines } from "../formats/quoted.ts";
import type { ThoughtProgress } from "../generate/drawing.ts";
import { PLAIN_PERIOD_MS, type ProgressLine } from "./progress-line.ts";
import { rewritesLines } from "./progress-stream.ts";
import type { Terminal } from "./terminal.ts";

const LABELS = { thinking: "thinking", refinement: "prompt in its own words" } as const;

export interface ThoughtLinesOptions {
  readonly terminal: Pick<Terminal, "err" | "environment">;
  readonly line: ProgressLine;
  readonly now?: () => number;
}

/**
 * Follows thoughts to their end, and shows them as progress is shown: as they come on a terminal that a person watches;
 * elsewhere in whole lines, once thinking has taken long. They stand in the JSON and in the pictures' recipes anyway.
 * @throws what keeps the model from thinking
 */
export async function showThoughts(
  thoughts: AsyncIterable<ThoughtProgress>,
  { terminal: { err, environment }, line, now = () => performance.now() }: ThoughtLinesOptions,
): Promise<void> {
  const isLive = rewritesLines(err, environment);
  const began = now();
  let last: ThoughtProgress | undefined;
  let held = "";
  const endLine = (): void => {
    if (last !== undefined && (isLive || now() - began >= PLAIN_PERIOD_MS)) err.write(`${held}\n`);
    held = "";
  };
  const write = (text: string): void => {
    if (isLive) err.write(text);
    else held += text;
  };
  try {
    for await (const piece of thoughts) {
      line.clear();
      if (last?.picture !== piece.picture || last.kind !== piece.kind) {
        endLine();
        write(`${LABELS[piece.kind]}${piece.picture === 0 ? "" : ` (picture ${piece.picture + 1})`}: `);
      }
      write(printableLines(piece.text));
      last = piece;
    }
  } finally {
    endLine();
  }
}
