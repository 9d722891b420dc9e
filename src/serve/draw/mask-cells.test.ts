import { describe, expect, it } from "vitest";
import { openCells } from "./mask-cells.ts";

const maskOf = (width: number, height: number, ...open: [x: number, y: number][]) => {
  const data = new Uint8Array(width * height);
  for (const [x, y] of open) data[y * width + x] = 1;
  return { width, height, open: data };
};
const cellsOf = (...given: Parameters<typeof openCells>) => [...openCells(...given)];

describe("a mask on other grids", () => {
  it("is itself on its own", () => {
    const mask = maskOf(3, 2, [0, 0], [2, 1]);
    expect(openCells(mask, { width: 3, height: 2 })).toEqual(mask.open);
  });

  it("opens a cell by any of its pixels, also by one at its corner", () => {
    expect(cellsOf(maskOf(32, 32, [15, 15]), { width: 2, height: 2 })).toEqual([1, 0, 0, 0]);
    expect(cellsOf(maskOf(32, 32, [16, 15]), { width: 2, height: 2 })).toEqual([0, 1, 0, 0]);
    expect(cellsOf(maskOf(32, 32, [31, 31]), { width: 2, height: 2 })).toEqual([0, 0, 0, 1]);
  });

  it("opens every cell that a pixel has a part of, where the two do not fit each other", () => {
    expect(cellsOf(maskOf(3, 1, [1, 0]), { width: 2, height: 1 })).toEqual([1, 1]);
    expect(cellsOf(maskOf(2, 1, [0, 0]), { width: 5, height: 1 })).toEqual([1, 1, 1, 0, 0]);
  });

  it("loses no pixel, whatever the grids", () => {
    for (let from = 1; from <= 13; from++) {
      for (let to = 1; to <= 13; to++) {
        for (let x = 0; x < from; x++) {
          expect(cellsOf(maskOf(from, 1, [x, 0]), { width: to, height: 1 })).toContain(1);
        }
        expect(cellsOf(maskOf(from, 1), { width: to, height: 1 })).not.toContain(1);
      }
    }
  });
});
