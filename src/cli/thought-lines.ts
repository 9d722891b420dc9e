/** @file What the model thinks before it draws, on standard error as it comes. */
import { printableLines } from "../formats/quoted.ts";
import type { ThoughtProgress } from "../generate/drawing.ts";
import type { ProgressLine } from "./progress-line.ts";
import { rewritesLines } from "./progress-stream.ts";
import type { Terminal } from "./terminal.ts";

const LABELS = { thinking: "thinking", refinement: "prompt in its own words" } as const;

/**
 * Follows thoughts to their end. They are shown where progress is shown: on a terminal that a person watches; elsewhere
 * they stand in the JSON and in the pictures' recipes.
 * @throws what keeps the model from thinking
 */
export async function showThoughts(
  thoughts: AsyncIterable<ThoughtProgress>,
  {
    terminal,
    line,
  }: { readonly terminal: Pick<Terminal, "err" | "environment">; readonly line: ProgressLine },
): Promise<void> {
  const { err, environment } = terminal;
  const isShown = rewritesLines(err, environment);
  let last: ThoughtProgress | undefined;
  try {
    for await (const piece of thoughts) {
      if (!isShown) continue;
      line.clear();
      if (last?.picture !== piece.picture || last.kind !== piece.kind) {
        if (last !== undefined) err.write("\n");
        const about = piece.picture === 0 ? "" : ` (picture ${piece.picture + 1})`;
        err.write(`${LABELS[piece.kind]}${about}: `);
      }
      err.write(printableLines(piece.text));
      last = piece;
    }
  } finally {
    if (last !== undefined) err.write("\n");
  }
}
