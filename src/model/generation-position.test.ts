import { expect, it } from "vitest";
import { GENERATION_GRID, generationPositions } from "./generation-position.ts";

it("holds sines and cosines of the column, then of the row", () => {
  const [grid, width] = [5, 12];
  const table = generationPositions(grid, width);
  expect(table.length).toBe(grid * grid * width);
  // Row 2, column 3; the second of three frequencies is 10000^(-1/3).
  const at = (2 * grid + 3) * width;
  const frequency = 10_000 ** (-1 / 3);
  expect(table[at + 1]).toBe(Math.fround(Math.sin(3 * frequency)));
  expect(table[at + 4]).toBe(Math.fround(Math.cos(3 * frequency)));
  expect(table[at + 7]).toBe(Math.fround(Math.sin(2 * frequency)));
  expect(table[at + 10]).toBe(Math.fround(Math.cos(2 * frequency)));
});

it("has the published grid", () => {
  expect(GENERATION_GRID ** 2).toBe(1024);
});
