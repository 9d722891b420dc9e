import { describe, expect, it } from "vitest";
import type { RgbImage } from "../../../image/pixels.ts";
import { plainBackground } from "./background-colour.ts";
import type { Rgb } from "./emoji-render.ts";
import { BACKGROUNDS } from "./emoji-scenes.ts";

const SIDE = 64;

/** A picture by its pixels, in which a red thing stands in the middle. */
function picture(ground: (x: number, y: number) => Rgb): RgbImage {
  const data = new Uint8Array(3 * SIDE * SIDE);
  for (let y = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      const isThing = Math.hypot(x - SIDE / 2, y - SIDE / 2) < SIDE / 3;
      data.set(isThing ? BACKGROUNDS.red : ground(x, y), 3 * (y * SIDE + x));
    }
  }
  return { width: SIDE, height: SIDE, data };
}

describe("plainBackground", () => {
  it("names the colour behind a thing, a little off and with something at the edge", () => {
    expect(plainBackground(picture(() => BACKGROUNDS.blue))).toBe("blue");
    expect(plainBackground(picture(() => [255, 255, 255]))).toBe("white");
    const off = (x: number, y: number): Rgb => [60 + ((x + y) % 5), 130 - (y % 7), 210 + (x % 6)];
    expect(plainBackground(picture(off))).toBe("blue");
    expect(plainBackground(picture((x) => (x < 2 ? [0, 0, 0] : BACKGROUNDS.green)))).toBeUndefined();
    const corner = (x: number, y: number): Rgb => (x < 5 && y < 5 ? [0, 0, 0] : BACKGROUNDS.green);
    expect(plainBackground(picture(corner))).toBe("green");
  });

  it("names none for a background of many colours, or of one that has no name", () => {
    expect(plainBackground(picture((x, y) => [(x * 37) % 256, (y * 91) % 256, 120]))).toBeUndefined();
    expect(plainBackground(picture((x) => [66, 122, 2 * x + 60]))).toBeUndefined();
    expect(plainBackground(picture(() => [0, 255, 0]))).toBeUndefined();
  });
});
