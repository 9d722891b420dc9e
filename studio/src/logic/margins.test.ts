import { describe, expect, it } from "vitest";
import { addedCells, canvasOf, extendedGrid, freeCells, NO_MARGINS, withMargin } from "./margins.ts";

const GRID = { columns: 8, rows: 8 };

describe("margins", () => {
  it("make a canvas on which the picture stands at a whole cell", () => {
    const margins = { top: 1, right: 2, bottom: 0, left: 3 };
    expect(extendedGrid(GRID, margins)).toEqual({ columns: 13, rows: 9 });
    expect(freeCells(GRID, margins)).toBe(3);
    expect(freeCells(GRID, NO_MARGINS)).toBe(2);
    expect(addedCells(GRID, margins)).toBe(13 * 9 - 64);
    expect(canvasOf(GRID, margins, 16)).toEqual({ size: { width: 208, height: 144 }, left: 48, top: 16 });
  });

  it("are whole, never inwards, and within the server's most pixels", () => {
    const set = (cells: number, most: number) => withMargin(NO_MARGINS, "right", cells, GRID, 16, most).right;
    expect([set(2.4, 1e9), set(-3, 1e9), set(100, 256 * 128)]).toEqual([2, 0, 8]);
    const both = withMargin({ ...NO_MARGINS, left: 4 }, "bottom", 99, GRID, 16, 192 * 160);
    expect(both).toEqual({ top: 0, right: 0, bottom: 2, left: 4 });
  });
});
