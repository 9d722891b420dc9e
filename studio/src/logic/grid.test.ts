import { describe, expect, it } from "vitest";
import {
  cellOf,
  cellSide,
  cellStretch,
  gridOf,
  numberEvery,
  parseSize,
  shownSize,
  sizeText,
  wideCellSide,
} from "./grid.ts";

describe("grids", () => {
  it("have a cell a token, broken ones included", () => {
    expect(gridOf(parseSize("256x128"), 16)).toEqual({ columns: 16, rows: 8 });
    expect(gridOf({ width: 100, height: 17 }, 16)).toEqual({ columns: 7, rows: 2 });
  });

  it("have cells that are stretched with their picture", () => {
    const grid = { columns: 8, rows: 8 };
    expect(cellStretch(grid, { width: 512, height: 512 })).toBe(1);
    expect(cellStretch(grid, { width: 160, height: 128 })).toBe(1.25);
  });

  it("find the cell of a token in reading order, and stay on the sheet", () => {
    const grid = { columns: 4, rows: 2 };
    expect([0, 3, 4, 7, 8].map((token) => cellOf(token, grid))).toEqual([
      { row: 0, column: 0 },
      { row: 0, column: 3 },
      { row: 1, column: 0 },
      { row: 1, column: 3 },
      { row: 1, column: 3 },
    ]);
  });

  it("are drawn with cells that fit the page's squares, or the width of a phone", () => {
    const square = { columns: 8, rows: 8 };
    expect(cellSide(square, { width: 528, height: 640 })).toBe(64);
    expect(cellSide({ columns: 32, rows: 32 }, { width: 528, height: 640 })).toBe(16);
    expect(cellSide({ columns: 4000, rows: 1 }, { width: 528, height: 640 })).toBe(1);
    expect(wideCellSide(square, { width: 320, height: 640 })).toBe(40);
    expect(wideCellSide(square, { width: 0, height: 640 })).toBe(1);
  });

  it("number as many rows as have room", () => {
    expect([64, 16, 8, 5, 1].map((side) => numberEvery(side, 16))).toEqual([1, 1, 2, 4, 16]);
  });

  it("write sizes as the server does, and as people do", () => {
    expect(sizeText({ width: 12, height: 34 })).toBe("12x34");
    expect(shownSize(parseSize("12x34"))).toBe("12 × 34");
  });
});
