/** @file Layout of the grid, pixel by pixel. */
import { expect, it } from "vitest";
import { InputError } from "../errors.ts";
import { pictureGrid } from "./picture-grid.ts";

const plain = (value: number, width = 2, height = 1) => ({
  width,
  height,
  data: new Uint8Array(3 * width * height).fill(value),
});

it("lays pictures out in rows with white between", () => {
  const grid = pictureGrid([[plain(10), plain(20)], [plain(30)]]);
  expect([grid.width, grid.height]).toEqual([6, 4]);
  const red = Array.from({ length: 24 }, (_, pixel) => grid.data[3 * pixel]);
  expect(red.slice(0, 6)).toEqual([10, 10, 255, 255, 20, 20]);
  expect(red.slice(6, 18)).toEqual(Array(12).fill(255));
  expect(red.slice(18)).toEqual([30, 30, 255, 255, 255, 255]);
});

it("lays them out without anything between", () => {
  const grid = pictureGrid(
    [
      [plain(10), plain(20)],
      [plain(30), plain(40)],
    ],
    0,
  );
  expect([grid.width, grid.height]).toEqual([4, 2]);
  const red = Array.from({ length: 8 }, (_, pixel) => grid.data[3 * pixel]);
  expect(red).toEqual([10, 10, 20, 20, 30, 30, 40, 40]);
});

it("refuses nothing and unequal sizes", () => {
  expect(() => pictureGrid([])).toThrow(InputError);
  expect(() => pictureGrid([[plain(1), plain(1, 3)]])).toThrow("differ in size");
});
