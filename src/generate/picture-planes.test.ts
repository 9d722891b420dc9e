/** @file Blocks of pixels as channels. */
import { expect, it } from "vitest";
import { PicturePlanes } from "./picture-planes.ts";

it("takes blocks apart in the order of the graph's operator, and puts them together", () => {
  // Two channels of 2 x 4 pixels.
  const data = Float32Array.from({ length: 16 }, (_, i) => i);
  const planes = PicturePlanes.of(data, 2, 2, 4);
  const blocks = planes.unshuffled(2);
  expect([blocks.height, blocks.width]).toEqual([1, 2]);
  expect(blocks.channels.map((channel) => [...channel])).toEqual([
    [0, 2],
    [1, 3],
    [4, 6],
    [5, 7],
    [8, 10],
    [9, 11],
    [12, 14],
    [13, 15],
  ]);
  expect(blocks.shuffled(2).joined()).toEqual(data);
  expect(planes.unshuffled(1)).toBe(planes);
});
