import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { ConfigError } from "../errors.ts";
import {
  ASPECT_NAMES,
  ASPECT_TABLE,
  aspectBuckets,
  chooseBucket,
  coverGeometry,
  namedSize,
} from "./aspect-buckets.ts";

const cases = fileURLToPath(new URL("../../test/parity/cases/", import.meta.url));

interface Row {
  image_size: number;
  width: number;
  height: number;
  resized_to: number[];
  result: number[];
}

const rows = readdirSync(cases)
  .filter((name) => name.endsWith(".json"))
  .map((name) => JSON.parse(readFileSync(join(cases, name), "utf8")))
  .filter((item) => item.kind === "buckets")
  .flatMap((item): Row[] => item.rows);

describe("parity with the published code", () => {
  it.each(rows)("$width x $height at $image_size", (row) => {
    const { pixels } = chooseBucket([row.height, row.width], row.image_size);
    expect(pixels).toEqual(row.result);
    const { resized, offset } = coverGeometry([row.height, row.width], pixels);
    expect(resized).toEqual(row.resized_to);
    for (const axis of [0, 1] as const) {
      const rest = resized[axis] - pixels[axis];
      expect(rest).toBeGreaterThanOrEqual(0);
      expect(offset[axis]).toBe(Math.floor(rest / 2));
    }
  });
});

describe("buckets", () => {
  it("are the table itself at 256 and its double at 512", () => {
    expect(aspectBuckets(256).map((bucket) => bucket.grid)).toEqual(ASPECT_TABLE);
    expect(aspectBuckets(512).map((bucket) => bucket.grid)).toEqual(
      ASPECT_TABLE.map(([h, w]) => [2 * h, 2 * w]),
    );
    for (const size of [256, 512, 768, 1024]) {
      for (const { pixels, gridPixels } of aspectBuckets(size)) expect(pixels).toEqual(gridPixels);
    }
  });

  it("lie on the token grid at any size, halves rounded to even", () => {
    const small = aspectBuckets(128).map((bucket) => bucket.grid);
    expect(small.slice(0, 4)).toEqual([
      [4, 16],
      [4, 14],
      [5, 12],
      [6, 12],
    ]);
    for (const { gridPixels } of aspectBuckets(80)) {
      for (const side of gridPixels) expect(side % 16).toBe(0);
    }
    expect(() => aspectBuckets(100)).toThrow(ConfigError);
    expect(() => aspectBuckets(0)).toThrow(ConfigError);
  });

  it("have names, width first", () => {
    expect(namedSize("1:1", 512)).toEqual([512, 512]);
    expect(namedSize("16:9", 256)).toEqual([192, 336]);
    expect(namedSize("9:16", 256)).toEqual([336, 192]);
    expect(namedSize("3:4", 128)).toEqual([144, 112]);
    expect(namedSize("3:4", 256, 32)).toEqual([288, 224]);
    for (const name of ASPECT_NAMES) {
      const [height, width] = namedSize(name, 256);
      const [wide = 1, tall = 1] = name.split(":").map(Number);
      expect(Math.sign(height - width)).toBe(Math.sign(tall - wide));
    }
  });
});
