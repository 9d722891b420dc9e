/** @file Every epoch visits every sample once; positions alone decide the order. */
import { describe, expect, it } from "vitest";
import { DataFormatError } from "../../errors.ts";
import { ShardedEpochOrder } from "./epoch-order.ts";

const range = (length: number): number[] => Array.from({ length }, (_, index) => index);

describe("ShardedEpochOrder", () => {
  it("visits every sample once an epoch, in another order each", () => {
    const order = new ShardedEpochOrder(1, [3, 0, 5, 4], 5);
    const epochs = range(3).map((epoch) => range(12).map((place) => order.sampleAt(epoch * 12 + place)));
    for (const epoch of epochs) expect([...epoch].sort((a, b) => a - b)).toEqual(range(12));
    expect(epochs[0]).not.toEqual(epochs[1]);
    expect(epochs[1]).not.toEqual(epochs[2]);
  });

  it("mixes within windows only, the last of which takes the remainder", () => {
    // One tar, so the row is the order of samples: windows 0-3 and 4-9.
    const order = new ShardedEpochOrder(3, [10], 4);
    for (const epoch of range(5)) {
      const visits = range(10).map((place) => order.sampleAt(epoch * 10 + place));
      expect(visits.slice(0, 4).sort()).toEqual([0, 1, 2, 3]);
    }
  });

  it("keeps the samples of a tar together when the window is the size of a tar", () => {
    const order = new ShardedEpochOrder(5, [4, 4, 4], 4);
    const tars = range(12).map((visit) => Math.floor(order.sampleAt(visit) / 4));
    for (const first of [0, 4, 8]) expect(new Set(tars.slice(first, first + 4)).size).toBe(1);
    expect(new Set(tars).size).toBe(3);
  });

  it("gives the same sample for a visit whatever was asked before", () => {
    const forward = new ShardedEpochOrder(9, [7, 8], 6);
    const expected = range(45).map((visit) => forward.sampleAt(visit));
    const resumed = new ShardedEpochOrder(9, [7, 8], 6);
    for (const visit of [44, 3, 17, 0, 29, 30]) expect(resumed.sampleAt(visit)).toBe(expected[visit]);
    const other = new ShardedEpochOrder(10, [7, 8], 6);
    expect(range(45).map((visit) => other.sampleAt(visit))).not.toEqual(expected);
  });

  it("refuses nothing at all", () => {
    expect(() => new ShardedEpochOrder(1, [0, 0])).toThrow(DataFormatError);
  });
});
