/** @file Edits that were made, were not, or broke what they should have kept. */
import { describe, expect, it } from "vitest";
import { isChanged, keptDecibels, mirrored } from "./edit-outcome.ts";
import {
  block,
  blurred,
  disc,
  MIDDLE,
  moved,
  noisy,
  type Place,
  painted,
  scene,
  wedge,
} from "./test-pictures.ts";

const LEFT: Place = [1 / 32, 9 / 32, 7 / 16];
const RIGHT: Place = [17 / 32, 9 / 32, 7 / 16];
const thing = wedge([200, 40, 40]);

describe("mirror", () => {
  const source = scene([[thing, MIDDLE]]);
  const target = mirrored(source);

  it("is seen, and so is that nothing happened", () => {
    expect(isChanged(target, source, target)).toBe(true);
    expect(isChanged(blurred(noisy(target, 12)), source, target)).toBe(true);
    expect(isChanged(moved(target, 1, 0), source, target)).toBe(true);
    expect(isChanged(source, source, target)).toBe(false);
    expect(isChanged(noisy(source, 12), source, target)).toBe(false);
  });

  it("is not what is neither the one nor the other", () => {
    const middle = source.data.map((value, index) => (value + target.data[index]!) >> 1);
    expect(isChanged({ ...source, data: middle }, source, target)).toBe(false);
    const mush = painted(64, () => [140, 140, 140]);
    expect(isChanged(mush, source, target)).toBe(false);
    expect(isChanged(scene([]), source, target)).toBe(false);
  });

  it("says nothing of pictures that are their own mirror image", () => {
    const even = scene([[disc([200, 40, 40]), MIDDLE]]);
    expect(isChanged(even, even, mirrored(even))).toBeUndefined();
  });
});

describe("adding", () => {
  const source = scene([[thing, LEFT]]);
  const target = scene([
    [thing, LEFT],
    [disc([20, 60, 200]), RIGHT],
  ]);

  it("keeps the rest: decibels fall with what is broken there alone", () => {
    expect(keptDecibels(target, source, target)).toBe(60);
    const small = scene([
      [thing, LEFT],
      [disc([20, 200, 60]), RIGHT],
    ]);
    expect(keptDecibels(small, source, target)).toBe(60);
    expect(isChanged(small, source, target)).toBe(false);
    const broken = scene([
      [block([200, 40, 40]), LEFT],
      [disc([20, 60, 200]), RIGHT],
    ]);
    expect(isChanged(broken, source, target)).toBe(true);
    expect(keptDecibels(broken, source, target)).toBeLessThan(20);
    // Noise of 8 levels, less what is cut off at white, is 20 log10(255 / 8) = 30 dB and some.
    expect(keptDecibels(noisy(target, 8), source, target)).toBeGreaterThan(29);
    expect(keptDecibels(noisy(target, 8), source, target)).toBeLessThan(35);
  });

  it("has nothing to keep where all changes", () => {
    const white = painted(64, () => [255, 255, 255]);
    const black = painted(64, () => [0, 0, 0]);
    expect(keptDecibels(black, white, black)).toBeUndefined();
  });
});
