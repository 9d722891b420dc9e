import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RgbImage } from "../image/pixels.ts";
import { open } from "../node/open-model.ts";
import type { DrawOptions } from "./draw-options.ts";
import type { Model } from "./model.ts";
import { testModelPath } from "./test-models.ts";

/**
 * Tokens and pixels of the default model as they were when its weights were put into the package, drawn by code that had
 * the goldens of the weights before them. The engine's kernels round by the processor's vectors: goldens hold where they
 * are as wide.
 */
const GOLDEN: readonly [string, string, DrawOptions & { readonly edit?: true }, readonly string[]][] = [
  ["by itself", "a red apple", { seed: 1 }, ["b53298596fc1c874 27c68e74acd5b799"]],
  [
    "two of one prompt",
    "a green frog",
    { seed: 3, count: 2 },
    ["4b96b862aae149f9 81450b187d020510", "d7071170327ac794 9a0f2374cb2cf1f9"],
  ],
  [
    "without guidance, in another shape",
    "a yellow star",
    { seed: 2, size: { width: 192, height: 128 }, cfg: 1 },
    ["b961a25f80edb184 68a8e84ea70ce1fc"],
  ],
  [
    "an edit with three branches",
    "make it blue",
    { seed: 4, edit: true, cfgImg: 1.5, cfg: 3, size: { width: 256, height: 256 } },
    ["8aed66a6326f41f5 8192f764a535ec67"],
  ],
  ...(["v1", "v1.1", "ode", "sde", "cps"] as const).map((sampler, index): (typeof GOLDEN)[number] => [
    `${sampler} on a linear schedule`,
    "a house",
    {
      seed: 7,
      sampler,
      steps: 9,
      cfg: 3,
      cfgSchedule: "linear",
      useNorm: sampler === "v1",
      shift: 1.5,
      size: { width: 128, height: 128 },
    },
    [
      [
        "213318c0b1212ddb 6cdb3265bad4b773",
        "7d7c1e9fab1cc36b b5d5c71f0b5b2991",
        "a72f9406dc16ebb5 3e2b98590692bec9",
        "16dd5aaf49a132e5 7f96140d7a733853",
        "c199eddd6c10907f a4d3f8533538e677",
      ][index] as string,
    ],
  ]),
];

function wideVectors(): boolean {
  try {
    return /\bavx512f\b/.test(readFileSync("/proc/cpuinfo", "utf8"));
  } catch {
    return false;
  }
}

function digest(data: Float32Array | Uint8Array): string {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return createHash("sha256").update(bytes).digest("hex").slice(0, 16);
}

describe.runIf(wideVectors()).each([1, 2])("recipes of earlier versions at %i threads", (threads) => {
  let model: Model;
  beforeAll(async () => {
    model = await open(testModelPath("default"), { threads });
  });
  afterAll(() => model[Symbol.asyncDispose]());

  it.each(GOLDEN)(
    "draw the same tokens and pixels: %s",
    async (_, prompt, { edit, ...options }, expected) => {
      const data = Uint8Array.from({ length: 3 * 48 * 48 }, (_value, i) => (i * 7) % 256);
      const image: RgbImage = { width: 48, height: 48, data };
      const pictures = await model.draw(prompt, {
        ...options,
        ...(edit === true ? { images: [image] } : {}),
      });
      expect(pictures.map(({ tokens, pixels }) => `${digest(tokens)} ${digest(pixels.data)}`)).toEqual(
        expected,
      );
    },
  );
});
