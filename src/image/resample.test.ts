import { describe, expect, it } from "vitest";
import { ShapeError } from "../errors.ts";
import type { RgbImage } from "./pixels.ts";
import { type Filter, resample } from "./resample.ts";
import { coverAndCrop, squareCrop, stretch } from "./resize.ts";

function imageOf(
  width: number,
  height: number,
  value: (x: number, y: number, channel: number) => number,
): RgbImage {
  const data = new Uint8Array(3 * width * height);
  for (let at = 0; at < data.length; at++) {
    const pixel = Math.floor(at / 3);
    data[at] = value(pixel % width, Math.floor(pixel / width), at % 3);
  }
  return { width, height, data };
}

/** Two bright and two dark squares, as a chess board of four fields. */
function board(side: number): RgbImage {
  return imageOf(side, side, (x, y) => (x < side / 2 === y < side / 2 ? 0xe1 : 0xff - 0xe1));
}

function noise(width: number, height: number): RgbImage {
  let state = 99;
  return imageOf(width, height, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
}

describe("resample", () => {
  // Upper left quarter of resized boards: figures that Pillow's own tests state for its resampling.
  const boards: [Filter, number, number, string][] = [
    ["bicubic", 12, 6, "e1e3d4 e3e5d6 d4d6c9"],
    ["lanczos", 16, 8, "e1e0e4d7 e0dfe3d6 e4e3e7da d7d6d9ce"],
    ["box", 2, 4, "e1e1 e1e1"],
    ["bicubic", 4, 8, "e1e5eeb9 e5e9f3bc eef3fdc1 b9bcc1a2"],
    ["lanczos", 6, 12, "e1e0dbedf5b8 e0dfdaecf3b7 dbdbd6e7eeb5 edece6fbffbf f5f4eeffffc4 b8b7b4bfc4a0"],
  ];
  it.each(boards)("%s from %i to %i equals Pillow", (filter, from, to, expected) => {
    const { data } = resample(board(from), [to, to], filter);
    const quarter = Array.from({ length: to / 2 }, (_, y) =>
      Array.from({ length: to / 2 }, (__, x) =>
        (data[3 * (y * to + x)] ?? 0).toString(16).padStart(2, "0"),
      ).join(""),
    );
    expect(quarter.join(" ")).toBe(expected);
  });

  it("keeps a flat picture flat at any size", () => {
    const flat = imageOf(51, 9, (_, __, channel) => [0, 64, 255][channel] ?? 0);
    for (const filter of ["box", "bicubic", "lanczos"] as const) {
      const { data } = resample(flat, [37, 5], filter);
      for (let at = 0; at < data.length; at++) expect(data[at]).toBe(flat.data[at % 3]);
    }
  });

  it("halves with a box by plain means", () => {
    const image = noise(8, 6);
    const half = resample(image, [3, 4], "box");
    const at = (x: number, y: number, channel: number) => image.data[3 * (y * 8 + x) + channel] ?? 0;
    const means = imageOf(4, 3, (x, y, channel) => {
      const upper = Math.floor((at(2 * x, 2 * y, channel) + at(2 * x + 1, 2 * y, channel) + 1) / 2);
      const lower = Math.floor((at(2 * x, 2 * y + 1, channel) + at(2 * x + 1, 2 * y + 1, channel) + 1) / 2);
      return Math.floor((upper + lower + 1) / 2);
    });
    expect(half).toEqual(means);
  });

  it("computes a window as it cuts it from the whole", () => {
    const image = noise(40, 30);
    for (const size of [
      [17, 23],
      [30, 70],
      [61, 40],
      [30, 40],
    ] as const) {
      const whole = resample(image, size, "lanczos");
      const part = resample(image, size, "lanczos", { offset: [5, 7], size: [9, 11] });
      const cut = imageOf(
        11,
        9,
        (x, y, channel) => whole.data[3 * ((y + 5) * size[1] + x + 7) + channel] ?? 0,
      );
      expect(part).toEqual(cut);
    }
  });

  it("refuses sizes and windows that make no picture", () => {
    const image = noise(4, 4);
    expect(() => resample(image, [0, 4], "box")).toThrow(ShapeError);
    expect(() => resample(image, [4, 4.5], "box")).toThrow(ShapeError);
    expect(() => resample(image, [4, 4], "box", { offset: [1, 0], size: [4, 4] })).toThrow(ShapeError);
    expect(() => resample({ ...image, width: 5 }, [4, 4], "box")).toThrow(ShapeError);
  });
});

describe("resize modes", () => {
  it("crop the centre of the covering picture", () => {
    const result = coverAndCrop(noise(100, 40), [32, 48]);
    expect([result.height, result.width]).toEqual([32, 48]);
    const whole = resample(noise(100, 40), [32, 80], "lanczos");
    expect(result.data[0]).toBe(whole.data[3 * 16]);
  });

  it("do not blow up for a picture of one pixel's width", () => {
    const result = coverAndCrop(noise(1, 50_000), [512, 128]);
    expect([result.height, result.width]).toEqual([512, 128]);
  });

  it("bring any picture to a square", () => {
    for (const [width, height] of [
      [64, 64],
      [200, 65],
      [33, 300],
      [16, 20],
    ] as const) {
      const result = squareCrop(noise(width, height), 32);
      expect([result.height, result.width, result.data.length]).toEqual([32, 32, 3 * 32 * 32]);
    }
    expect(squareCrop(board(128), 32)).toEqual(
      resample(resample(board(128), [64, 64], "box"), [32, 32], "box"),
    );
  });

  it("stretch without a crop", () => {
    expect(stretch(board(16), [8, 8], "lanczos")).toEqual(resample(board(16), [8, 8], "lanczos"));
  });
});
