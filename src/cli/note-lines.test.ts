import { availableParallelism } from "node:os";
import { expect, it } from "vitest";
import { threadsAgain } from "./again-threads.ts";
import { noteLines } from "./note-lines.ts";

it("tells each note once, and whom it is about", () => {
  const size = { kind: "size", text: "an odd size" } as const;
  const words = { kind: "words", text: "odd \u001bwords" } as const;
  expect(noteLines([[size], [size, words], [size], [size, words]])).toEqual([
    "note: an odd size",
    "note: picture 2, 4: odd \\u{1b}words",
  ]);
  expect(noteLines([[], []])).toEqual([]);
});

it("draws again with the threads of the recipe, unless others are asked for or they are too many", () => {
  expect(threadsAgain({ threads: 3 }, {})).toEqual({ threads: 3 });
  expect(threadsAgain({ threads: 3 }, { threads: 1 })).toEqual({ threads: 1 });
  expect(threadsAgain({}, {})).toEqual({});
  expect(threadsAgain({ threads: 8 * availableParallelism() + 1 }, {})).toEqual({});
});
