import { expect, it } from "vitest";
import type { ThoughtProgress } from "../generate/drawing.ts";
import { progressLine } from "./progress-line.ts";
import { testTerminal } from "./test-terminal.ts";
import { showThoughts } from "./thought-lines.ts";

const PIECES: readonly ThoughtProgress[] = [
  { picture: 0, kind: "thinking", text: "a \u001b[2J" },
  { picture: 0, kind: "thinking", text: "sail" },
  { picture: 0, kind: "refinement", text: "a boat" },
  { picture: 2, kind: "refinement", text: "fog" },
];
const LINES =
  "thinking: a \\u{1b}[2Jsail\nprompt in its own words: a boat\nprompt in its own words (picture 3): fog\n";

/** What is written while each piece takes `seconds`, and what is there behind the second one. */
async function shown(terminal: ReturnType<typeof testTerminal>, seconds: number, fails = false) {
  let time = 0;
  let early = "";
  async function* pieces() {
    for (const [index, piece] of PIECES.entries()) {
      if (index === 2) early = terminal.written.err();
      if (index === 2 && fails) throw new Error("tired");
      time += seconds * 1000;
      yield piece;
    }
  }
  const showing = showThoughts(pieces(), { terminal, line: progressLine(terminal), now: () => time });
  if (fails) await expect(showing).rejects.toThrow("tired");
  else await showing;
  return { all: terminal.written.err(), early };
}

it("shows thoughts as they come where a person watches, and tames them", async () => {
  const watched = () => testTerminal({ isTTY: true, environment: { TERM: "xterm" } });
  expect(await shown(watched(), 0)).toEqual({ all: LINES, early: "thinking: a \\u{1b}[2Jsail" });
  expect((await shown(watched(), 0, true)).all).toBe("thinking: a \\u{1b}[2Jsail\n");
});

it("adds whole lines elsewhere, once it takes long", async () => {
  expect(await shown(testTerminal(), 1)).toEqual({ all: "", early: "" });
  expect(await shown(testTerminal(), 20)).toEqual({ all: LINES, early: "" });
});
