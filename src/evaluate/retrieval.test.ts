/** @file Shape and colour as a feature, and retrieval by it. */
import { describe, expect, it } from "vitest";
import { InputError } from "../errors.ts";
import type { RgbImage } from "../image/pixels.ts";
import { featureDistance, pictureFeature } from "./picture-feature.ts";
import { rankOf, shareWithin } from "./retrieval.ts";

/** A filled square of one colour on white, its corner at (left, top). */
function square(left: number, top: number, side: number, color: readonly [number, number, number]): RgbImage {
  const data = new Uint8Array(128 * 128 * 3).fill(255);
  for (let y = top; y < top + side; y++) {
    for (let x = left; x < left + side; x++) data.set(color, (y * 128 + x) * 3);
  }
  return { width: 128, height: 128, data };
}

/** A disc of the same size. */
function disc(radius: number, color: readonly [number, number, number]): RgbImage {
  const data = new Uint8Array(128 * 128 * 3).fill(255);
  for (let y = 0; y < 128; y++) {
    for (let x = 0; x < 128; x++) if (Math.hypot(x - 64, y - 64) < radius) data.set(color, (y * 128 + x) * 3);
  }
  return { width: 128, height: 128, data };
}

describe("pictureFeature", () => {
  it("lies closer to a moved copy than to another shape or colour", () => {
    const original = pictureFeature(square(32, 32, 64, [255, 0, 0]));
    const moved = featureDistance(original, pictureFeature(square(36, 34, 64, [255, 0, 0])));
    expect(moved).toBeLessThan(featureDistance(original, pictureFeature(disc(36, [255, 0, 0]))));
    expect(moved).toBeLessThan(featureDistance(original, pictureFeature(square(32, 32, 64, [0, 0, 255]))));
    expect(featureDistance(original, original)).toBe(0);
  });
});

describe("rankOf, shareWithin", () => {
  const at = (subject: string, x: number) => ({ subject, feature: Float64Array.of(x, 0) });
  const real = [at("a", 0), at("b", 1), at("c", 2), at("d", 3), at("e", 4), at("f", 5)];

  it("count right answers among the nearest one and five", () => {
    const drawn = [at("a", 0.2), at("f", 0.1), at("c", 1.4)];
    const ranks = drawn.map((each) => rankOf(each, real, featureDistance));
    expect(ranks).toEqual([1, 6, 2]);
    expect(shareWithin(ranks, 1)).toMatchObject({ value: 1 / 3, count: 3 });
    expect(shareWithin(ranks, 5).value).toBeCloseTo(2 / 3);
  });

  it("refuse subjects without a real picture", () => {
    expect(() => rankOf(at("x", 0), real, featureDistance)).toThrow(InputError);
  });
});
