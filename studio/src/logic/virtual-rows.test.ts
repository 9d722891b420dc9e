import { describe, expect, it } from "vitest";
import { columnsIn, rowsInView } from "./virtual-rows.ts";

describe("rowsInView", () => {
  it("are those in the window and some spare ones", () => {
    expect(rowsInView(100, 144, 0, 720, 2)).toEqual({ first: 0, end: 7 });
    expect(rowsInView(100, 144, 1440, 720, 2)).toEqual({ first: 8, end: 17 });
    expect(rowsInView(100, 144, 99 * 144, 720, 2)).toEqual({ first: 97, end: 100 });
  });

  it("are the nearest where the list is far below or above, none where it is empty", () => {
    expect(rowsInView(100, 144, -5000, 720, 2)).toEqual({ first: 0, end: 2 });
    expect(rowsInView(1, 144, -5000, 720, 2)).toEqual({ first: 0, end: 1 });
    expect(rowsInView(3, 144, 5000, 720, 2)).toEqual({ first: 1, end: 3 });
    expect(rowsInView(0, 144, 0, 720, 2)).toEqual({ first: 0, end: 0 });
  });

  it("fit as many columns as there is room for, one at least", () => {
    expect([columnsIn(1216, 128, 16), columnsIn(128, 128, 16), columnsIn(10, 128, 16)]).toEqual([8, 1, 1]);
  });
});
