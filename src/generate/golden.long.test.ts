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
  ["by itself", "a red apple", { seed: 1 }, ["ee8ec8439fdf4665 91bf3abf971360f7"]],
  [
    "two of one prompt",
    "a green frog",
    { seed: 3, count: 2 },
    ["afb99734e3e8369d c0553f8674ce504b", "83f664ce1af33759 11849a7164669b12"],
  ],
  [
    "without guidance, in another shape",
    "a yellow star",
    { seed: 2, size: { width: 96, height: 64 }, cfg: 1 },
    ["0f44379f788ae96d 808ace3992273d40"],
  ],
  [
    "an edit with three branches",
    "make it blue",
    { seed: 4, edit: true, cfgImg: 1.5, cfg: 3, size: { width: 128, height: 128 } },
    ["b0b94a19f38d739d e45956da69efc046"],
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
      size: { width: 64, height: 64 },
    },
    [
      [
        "49f509d1fb5a5f42 6b79b5b0d78622f0",
        "8d6cad533c461b30 55f379647f907015",
        "ee32f9d6b698192c d6f0be9d8a137c14",
        "515a9d186fd488b7 be61cf34a70957b2",
        "81a0b38dc299fde6 141934c670ccf380",
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
