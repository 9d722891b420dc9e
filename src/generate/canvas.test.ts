import { expect, it } from "vitest";
import { InputError } from "../errors.ts";
import { Canvas } from "./canvas.ts";
import { DrawingOrder } from "./drawing-order.ts";

const token = (value: number) => new Float32Array(2).fill(value);

it("knows which cells are given, drawn and open", () => {
  const canvas = new Canvas([2, 2], 2);
  canvas.force(0, token(1));
  canvas.force(2, token(3));
  expect(canvas.forcedAhead()).toBe(1);
  canvas.pass(1);
  expect(canvas.forcedAhead()).toBe(0);
  canvas.sample(token(2));
  expect([0, 1, 2, 3].map((cell) => canvas.stateOf(cell))).toEqual(["forced", "sampled", "forced", "open"]);
  expect(() => canvas.sample(token(9))).toThrow(/cell 2 is not open/);
  expect(() => canvas.pass(2)).toThrow(InputError);
  canvas.pass(1);
  canvas.sample(token(4));
  expect(canvas.complete).toBe(true);
  expect([...canvas.tokens()]).toEqual([1, 1, 2, 2, 3, 3, 4, 4]);
  expect(() => canvas.sample(token(9))).toThrow(InputError);
});

it("goes back to the start of a row, and keeps what was given", () => {
  const canvas = new Canvas([3, 2], 2);
  canvas.force(3, token(7));
  for (const value of [1, 2, 3]) canvas.sample(token(value));
  canvas.pass(1);
  canvas.rewind(2);
  expect(canvas.next).toBe(4);
  canvas.rewind(1);
  expect(canvas.next).toBe(2);
  expect([2, 3].map((cell) => canvas.stateOf(cell))).toEqual(["open", "forced"]);
  expect([...canvas.tokens()]).toEqual([1, 1, 2, 2]);
  expect(() => canvas.rewind(3)).toThrow(InputError);
});

it.each([null, 1, 2])("knows how far it is in raster order, with a lag of %s", (lag) => {
  const canvas = new Canvas([4, 3], 2, new DrawingOrder([4, 3], lag));
  for (let turns = 0; turns <= canvas.count; turns++) {
    const open = Array.from({ length: canvas.count }, (_, cell) => canvas.order.turnOf(cell) >= turns);
    expect(canvas.prefix(turns)).toBe(open.includes(true) ? open.indexOf(true) : canvas.count);
  }
});

it("refuses tokens that are none, and cells that are passed or not there", () => {
  const canvas = new Canvas([1, 2], 2);
  canvas.sample(token(1));
  for (const cell of [0, 2, 0.5]) expect(() => canvas.force(cell, token(1))).toThrow(InputError);
  expect(() => canvas.force(1, token(Number.NaN))).toThrow(/finite/);
  expect(() => canvas.force(1, new Float32Array(3))).toThrow(InputError);
});
