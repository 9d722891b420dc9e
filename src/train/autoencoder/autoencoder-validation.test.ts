/** @file PSNR against its definition. */
import { expect, it } from "vitest";
import { peakSignalToNoise } from "./autoencoder-validation.ts";

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
