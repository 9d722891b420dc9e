import { describe, expect, it } from "vitest";
import { InputError } from "../../errors.ts";
import { placementOf } from "./placement.ts";

const px = (width: number, height: number) => ({ width, height });
const place = (picture: [number, number], at: [number, number], asked: [number, number], native = asked) =>
  placementOf({
    picture: px(...picture),
    at: { left: at[0], top: at[1] },
    asked: px(...asked),
    native: px(...native),
    tokenSide: 16,
  });

describe("a picture on a canvas", () => {
  it("covers whole tokens where it is whole tokens", () => {
    expect(place([64, 32], [1, 2], [128, 128])).toEqual({
      left: 16,
      top: 32,
      stretched: px(64, 32),
      window: { offset: [0, 0], size: [32, 64] },
      rows: [2, 4],
      columns: [1, 5],
    });
  });

  it("leaves to be drawn what it covers in part", () => {
    expect(place([70, 40], [1, 0], [128, 128])).toMatchObject({
      window: { offset: [0, 0], size: [32, 64] },
      rows: [0, 2],
      columns: [1, 5],
    });
  });

  it("keeps its share of a canvas that is drawn in another size", () => {
    // 600 of 1024 pixels are 75 of 128, of which 64 are whole tokens behind the one that is cut.
    expect(place([600, 600], [1, 0], [1024, 1024], [128, 128])).toEqual({
      left: 16,
      top: 0,
      stretched: px(75, 75),
      window: { offset: [0, 14], size: [64, 48] },
      rows: [0, 4],
      columns: [1, 4],
    });
  });

  it.each([
    ["reaches beyond", [64, 64], [5, 0], [128, 128]],
    ["covers no token", [15, 64], [0, 0], [128, 128]],
    ["covers all tokens", [128, 128], [0, 0], [128, 128]],
  ] as const)("is refused that %s", (reason, picture, at, asked) => {
    expect(() => place([...picture], [...at], [...asked])).toThrow(InputError);
    expect(() => place([...picture], [...at], [...asked])).toThrow(reason);
  });
});
