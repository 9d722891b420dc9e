import { expect, it } from "vitest";
import { heatMap } from "./heat-map.ts";

it("colours each cell from dark for the lowest to yellow for the highest, and lets the picture through", () => {
  const picture = { width: 4, height: 2, data: new Uint8Array(24).fill(100) };
  const { data } = heatMap(picture, [1, 2], Float32Array.of(0.5, 0.1));
  const pixel = (x: number, y: number) => [...data.subarray(3 * (y * 4 + x), 3 * (y * 4 + x) + 3)];
  // 0.6 of viridis' ends, 0.4 of the picture.
  expect(pixel(0, 0)).toEqual([192, 179, 62]);
  expect(pixel(1, 1)).toEqual(pixel(0, 0));
  expect(pixel(2, 0)).toEqual([81, 41, 90]);
});

it("has one colour where all numbers are equal", () => {
  const picture = { width: 2, height: 1, data: new Uint8Array(6) };
  const { data } = heatMap(picture, [1, 2], Float32Array.of(3, 3));
  expect([...data]).toEqual([41, 1, 50, 41, 1, 50]);
});
