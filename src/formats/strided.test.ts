import { describe, expect, it } from "vitest";
import { gatherStrided, inMemoryOrder, memoryOrder } from "./strided.ts";

describe("memoryOrder", () => {
  it.each([
    [
      [2, 3, 4],
      [12, 4, 1],
      [0, 1, 2],
    ],
    [
      [2, 3, 4, 5],
      [60, 1, 15, 3],
      [0, 2, 3, 1],
    ],
    [
      [3, 2],
      [1, 3],
      [1, 0],
    ],
    [[], [], []],
  ])("reads %j of strides %j as %j", (shape, strides, order) => {
    expect(memoryOrder(shape, strides)).toEqual(order);
  });

  it("does not mind axes of size one", () => {
    expect(memoryOrder([4, 1, 3], [3, 99, 1])).toBeDefined();
  });

  it.each([
    [
      [2, 3],
      [4, 1],
    ],
    [
      [2, 3],
      [0, 1],
    ],
    [
      [2, 3],
      [1, 1],
    ],
    [[2, 3], [3]],
  ])("refuses gaps and overlaps: %j of strides %j", (shape, strides) => {
    expect(memoryOrder(shape, strides)).toBeUndefined();
  });
});

it("lays elements out so that reading by strides gives them back", () => {
  const shape = [2, 3, 4, 5];
  const strides = [60, 1, 15, 3];
  const rowMajor = Uint16Array.from({ length: 120 }, (_, i) => i);
  const bytes = inMemoryOrder(rowMajor, shape, memoryOrder(shape, strides) ?? []);
  const stored = new Uint16Array(bytes.buffer, bytes.byteOffset, 120);
  // Element [0, 1, 0, 0] lies second: channels are innermost.
  expect(stored[1]).toBe(20);
  const back = new Uint16Array(120);
  gatherStrided(stored, back, shape, strides);
  expect(back).toEqual(rowMajor);
});
