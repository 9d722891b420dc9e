import { describe, expect, it } from "vitest";
import { decodeImage } from "../../../src/files/decode-image.ts";
import { emptyMask, maskPng, openCount, stroke } from "./mask.ts";

const GRID = { columns: 4, rows: 3 };

describe("stroke", () => {
  it("opens cells along the way, without gaps, and closes them again", () => {
    const opened = stroke(emptyMask(GRID), GRID, { row: 0, column: 0 }, { row: 2, column: 3 }, 1, true);
    expect(openCount(opened)).toBe(4);
    expect([...opened]).toEqual([1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1]);
    const closed = stroke(opened, GRID, { row: 1, column: 0 }, { row: 1, column: 3 }, 1, false);
    expect([...closed]).toEqual([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
  });

  it("has a brush of several cells, cut at the sides", () => {
    const at = { row: 0, column: 0 };
    expect(openCount(stroke(emptyMask(GRID), GRID, at, at, 3, true))).toBe(4);
    expect(openCount(stroke(emptyMask(GRID), GRID, at, at, 2, true))).toBe(4);
    const last = { row: 2, column: 3 };
    expect(openCount(stroke(emptyMask(GRID), GRID, last, last, 2, true))).toBe(1);
  });

  it("leaves the mask that it was given", () => {
    const mask = emptyMask(GRID);
    stroke(mask, GRID, { row: 0, column: 0 }, { row: 0, column: 0 }, 1, true);
    expect(openCount(mask)).toBe(0);
  });
});

describe("maskPng", () => {
  it("is white where cells are opened, in the picture's own pixels", async () => {
    const cells = stroke(emptyMask(GRID), GRID, { row: 1, column: 2 }, { row: 1, column: 2 }, 1, true);
    // Resampled pictures have other pixels than cells times the token's side.
    const png = await maskPng(cells, GRID, { width: 40, height: 30 });
    const { width, height, data } = await decodeImage(png, "mask.png");
    expect([width, height]).toEqual([40, 30]);
    const white = (x: number, y: number): boolean => data[3 * (y * width + x)] === 255;
    expect([white(20, 10), white(29, 19)]).toEqual([true, true]);
    expect([white(19, 10), white(30, 10), white(20, 9), white(20, 20)]).toEqual([false, false, false, false]);
    expect(data.filter((byte) => byte !== 0 && byte !== 255).length).toBe(0);
  });
});
