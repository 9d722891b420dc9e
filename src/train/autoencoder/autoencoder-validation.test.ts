/** @file PSNR against its definition. */
import { expect, it } from "vitest";
import { edgeRatio, peakSignalToNoise } from "./autoencoder-validation.ts";

it("is 20 dB for a tenth of the range and clamps first", () => {
  const target = Float32Array.of(0, 0.5, -0.5, 1);
  expect(
    peakSignalToNoise(
      target.map((x) => x - 0.2),
      target,
    ),
  ).toBeCloseTo(20, 4);
  expect(peakSignalToNoise(Float32Array.of(0, 0.5, -0.5, 9), target)).toBe(120);
});

it("finds edges of half the strength", () => {
  // Left half dark, right half bright, in three planes of 4 x 4.
  const target = Float32Array.from({ length: 48 }, (_, i) => (i % 4 < 2 ? -1 : 1));
  expect(edgeRatio(target, target, 4)).toBe(1);
  expect(
    edgeRatio(
      target.map((value) => value / 2),
      target,
      4,
    ),
  ).toBe(0.5);
  // An edge moved by one pixel is none where it should be.
  expect(
    edgeRatio(
      Float32Array.from({ length: 48 }, (_, i) => (i % 4 < 1 ? -1 : 1)),
      target,
      4,
    ),
  ).toBe(0);
  expect(edgeRatio(target, new Float32Array(48), 4)).toBe(1);
});
