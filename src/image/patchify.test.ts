import { describe, expect, it } from "vitest";
import { ShapeError } from "../errors.ts";
import { type PatchLayout, patchify, unpatchify } from "./patchify.ts";

const layouts: PatchLayout[] = [
  { images: 1, channels: 1, grid: [1, 1], patch: 1 },
  { images: 2, channels: 3, grid: [2, 5], patch: 2 },
  { images: 1, channels: 16, grid: [4, 3], patch: 2 },
  { images: 3, channels: 2, grid: [3, 2], patch: 3 },
];

/** Numbers that tell their own place. */
function places(layout: PatchLayout): Float32Array {
  const { images, channels, grid, patch } = layout;
  const size = images * channels * grid[0] * grid[1] * patch * patch;
  return Float32Array.from({ length: size }, (_, index) => index + 1);
}

describe.each(layouts)("layout $images x $channels x $grid, patch $patch", (layout) => {
  const { images, channels, grid, patch } = layout;
  const [h, w] = grid;
  const p = patch;
  const latents = places(layout);
  const latentAt = (n: number, c: number, y: number, x: number) =>
    ((n * channels + c) * h * p + y) * w * p + x;

  it("follows the formula of tokens", () => {
    const tokens = patchify(latents, layout);
    for (let n = 0; n < images; n++) {
      for (let c = 0; c < channels; c++) {
        for (let i = 0; i < h; i++) {
          for (let j = 0; j < w; j++) {
            for (let a = 0; a < p; a++) {
              for (let b = 0; b < p; b++) {
                const value = latents[latentAt(n, c, i * p + a, j * p + b)];
                const place = c * p * p + a * p + b;
                expect(tokens[(n * h * w + i * w + j) * channels * p * p + place]).toBe(value);
              }
            }
          }
        }
      }
    }
  });

  it("is undone by its inverse", () => {
    expect(unpatchify(patchify(latents, layout), layout)).toEqual(latents);
    expect(patchify(unpatchify(latents, layout), layout)).toEqual(latents);
  });

  it("refuses another number of values", () => {
    expect(() => patchify(new Float32Array(latents.length + 1), layout)).toThrow(ShapeError);
    expect(() => unpatchify(new Float32Array(0), layout)).toThrow(ShapeError);
  });
});
