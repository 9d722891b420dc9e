/** @file Intervals against published values, and that they hold what they promise. */
import { describe, expect, it } from "vitest";
import { CounterRng } from "../tensor/counter-rng.ts";
import { meanOf, ratioOf, shareOf } from "./estimate.ts";

describe("shareOf", () => {
  it("gives Wilson's interval", () => {
    // Newcombe (1998), table I: 81 of 263 and 0 of 20.
    expect(shareOf(81, 263)).toEqual({
      value: 81 / 263,
      low: expect.closeTo(0.2553, 4),
      high: expect.closeTo(0.3662, 4),
      count: 263,
    });
    expect(shareOf(0, 20)).toMatchObject({ low: 0, high: expect.closeTo(0.1611, 4) });
    expect(shareOf(20, 20).high).toBe(1);
  });
});

describe("meanOf, ratioOf", () => {
  it("hold the true mean about 95 times of 100", () => {
    const rng = new CounterRng(3);
    let held = 0;
    for (let trial = 0; trial < 100; trial++) {
      const { low, high } = meanOf(Array.from({ length: 40 }, () => 5 + rng.normal()));
      if (low <= 5 && 5 <= high) held++;
    }
    // Percentile intervals of 40 values are a little short.
    expect(held).toBeGreaterThanOrEqual(87);
    expect(held).toBeLessThanOrEqual(99);
  });

  it("weigh pairs by their size and are the same every time", () => {
    const pairs = [
      [1, 1],
      [9, 3],
    ] as const;
    expect(ratioOf(pairs).value).toBe(2.5);
    expect(ratioOf(pairs)).toEqual(ratioOf(pairs));
    expect(meanOf([4])).toEqual({ value: 4, low: 4, high: 4, count: 1 });
  });
});
