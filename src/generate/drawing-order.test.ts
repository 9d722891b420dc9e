import { describe, expect, it } from "vitest";
import { ConfigError } from "../errors.ts";
import { DrawingOrder } from "./drawing-order.ts";

/** The cells of each wave. */
function waves(order: DrawingOrder): number[][] {
  const found: number[][] = [];
  for (let turn = 0; turn < order.count; turn = order.waveEnd(turn)) {
    expect(order.waveStart(order.waveEnd(turn) - 1)).toBe(turn);
    found.push(Array.from({ length: order.waveEnd(turn) - turn }, (_, i) => order.cellAt(turn + i)));
  }
  return found;
}

describe("staggered rows", () => {
  it("follow each other by the lag, behind a whole first row", () => {
    //  0  1  2  3     waves 0 1 2 3
    //  4  5  6  7           4 5 6 7
    //  8  9 10 11           6 7 8 9
    expect(waves(new DrawingOrder([3, 4], 2))).toEqual([
      [0],
      [1],
      [2],
      [3],
      [4],
      [5],
      [6, 8],
      [7, 9],
      [10],
      [11],
    ]);
  });

  it("see what is in front of them and was read by then", () => {
    const order = new DrawingOrder([3, 4], 2);
    const seen = (cell: number) =>
      Array.from({ length: 12 }, (_, other) => other).filter((other) => order.sees(cell, other));
    expect(seen(8)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(seen(9)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    // Of the row below nothing, though it was drawn before.
    expect(seen(7)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it("start from a stand-in for the last token of the row above", () => {
    const order = new DrawingOrder([4, 4], 1);
    const found = waves(order).map(([cell]) => order.standIn(order.turnOf(cell as number)));
    //  0  1  2  3     waves 0 1 2 3
    //  4  5  6  7           4 5 6 7
    //  8  9 10 11           5 6 7 8
    // 12 13 14 15           6 7 8 9
    expect(found.flatMap((standIn, wave) => (standIn === undefined ? [] : [[wave, standIn]]))).toEqual([
      [5, { cell: 3, place: 7 }],
      [6, { cell: 5, place: 11 }],
    ]);
  });
});

it("is raster order without a lag, and with one of a whole row or more", () => {
  for (const lag of [null, 4, 9]) {
    const order = new DrawingOrder([3, 4], lag);
    expect(waves(order)).toEqual(Array.from({ length: 12 }, (_, cell) => [cell]));
    expect(order.staggered).toBe(false);
    for (let turn = 0; turn <= 12; turn++) expect(order.standIn(turn)).toBeUndefined();
    for (let cell = 0; cell < 12; cell++) {
      for (let other = 0; other < 12; other++) expect(order.sees(cell, other)).toBe(other < cell);
    }
  }
});

it("takes a lag of whole tokens alone", () => {
  for (const lag of [0, -1, 1.5, Number.NaN])
    expect(() => new DrawingOrder([2, 2], lag)).toThrow(ConfigError);
});
