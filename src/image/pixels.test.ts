import { describe, expect, it } from "vitest";
import { ShapeError } from "../errors.ts";
import { fromPlanes, type RgbImage, roundHalfEven, toPlanes } from "./pixels.ts";

describe("pixels", () => {
  const every: RgbImage = {
    width: 16,
    height: 16,
    data: Uint8Array.from({ length: 768 }, (_, n) => (n * 7) % 256),
  };

  it("are lost by no way there and back", () => {
    const planes = toPlanes(every);
    expect(fromPlanes(planes, [16, 16])).toEqual(every);
    const batch = new Float32Array(2 * 768);
    toPlanes(every, batch, 768);
    expect(fromPlanes(batch, [16, 16], 768)).toEqual(every);
  });

  it("become planes of [-1, 1]", () => {
    const planes = toPlanes({ width: 2, height: 1, data: Uint8Array.of(0, 128, 255, 51, 1, 254) });
    const expected = [0, 51, 128, 1, 255, 254].map((byte) => (Math.fround(byte / 255) - 0.5) / 0.5);
    expect([...planes]).toEqual(expected.map(Math.fround));
  });

  it("are clamped and rounded half to even", () => {
    // (u8 + 0.5) / 255 * 2 - 1 lies between two bytes, but only some such values are exact in float32.
    const planes = Float32Array.of(-5, 5, Number.NaN, -1, 1, 0);
    expect([...fromPlanes(planes, [1, 2]).data]).toEqual([0, 0, 255, 255, 0, 128]);
    expect([0.5, 1.5, 2.5, -0.5, -1.5, 2.4999, 2.5001, 7].map(roundHalfEven)).toEqual([
      0, 2, 2, 0, -2, 2, 3, 7,
    ]);
  });

  it("refuse data that do not fit", () => {
    expect(() => toPlanes({ ...every, width: 15 })).toThrow(ShapeError);
    expect(() => toPlanes(every, new Float32Array(10))).toThrow(ShapeError);
    expect(() => fromPlanes(new Float32Array(10), [2, 2])).toThrow(ShapeError);
  });
});
