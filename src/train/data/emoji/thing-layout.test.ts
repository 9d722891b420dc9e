/** @file Sizes and places are told as the scenes of the emoji data have them. */
import { describe, expect, it } from "vitest";
import type { RgbImage } from "../../../image/pixels.ts";
import { newCanvas, type Rgb } from "./emoji-render.ts";
import { BACKGROUNDS, boxesOf, SINGLE_LAYOUTS } from "./emoji-scenes.ts";
import { thingLayout } from "./thing-layout.ts";

const RED: Rgb = BACKGROUNDS.red;

/** A disc of one colour that fills the share of a box of a picture of 256 x 256. */
function disc(box: readonly [number, number, number], share = 1, ground: Rgb = BACKGROUNDS.white): RgbImage {
  const canvas = newCanvas(ground, [256, 256]);
  const [left, top, side] = box;
  const pixels = new Uint8Array(canvas.data);
  for (let y = 0; y < 256; y++) {
    for (let x = 0; x < 256; x++) {
      const isInside = Math.hypot(x + 0.5 - left - side / 2, y + 0.5 - top - side / 2) < (share * side) / 2;
      if (isInside) pixels.set(RED, 3 * (y * 256 + x));
    }
  }
  return { width: 256, height: 256, data: pixels };
}

describe("thingLayout", () => {
  it("tells the layouts of single icons, whether the thing fills its box or not", () => {
    for (const layout of SINGLE_LAYOUTS) {
      for (const share of [0.95, 0.7]) {
        const told = thingLayout(disc(boxesOf(layout)[0]!, share, BACKGROUNDS.blue));
        expect(told, `${layout} ${share}`).toBe(layout === "large" ? "single" : layout);
      }
    }
  });

  it("looks at the middle square, and past specks", () => {
    const square = disc(boxesOf("small")[0]!);
    const wide = { width: 384, height: 256, data: new Uint8Array(3 * 384 * 256).fill(255) };
    for (let y = 0; y < 256; y++) {
      wide.data.set(square.data.subarray(3 * 256 * y, 3 * 256 * (y + 1)), 3 * (384 * y + 64));
    }
    wide.data.set(RED, 3 * (384 * 20 + 100));
    expect(thingLayout(wide)).toBe("small");
  });

  it("says nothing of a thing in a corner, of an empty picture and of one whose background is not plain", () => {
    expect(thingLayout(disc([8, 8, 100]))).toBeUndefined();
    expect(thingLayout(disc([0, 0, 0]))).toBeUndefined();
    const data = new Uint8Array(3 * 64 * 64).map((_, index) => (index * 37) % 256);
    expect(thingLayout({ width: 64, height: 64, data })).toBeUndefined();
  });
});
