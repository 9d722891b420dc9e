import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RgbImage } from "../image/pixels.ts";
import { open } from "../node/open-model.ts";
import type { DrawOptions } from "./draw-options.ts";
import type { Model } from "./model.ts";
import { testModelPath } from "./test-models.ts";

/**
 * Tokens and pixels of the default model as they were first recorded, before slots, with one unrolled graph for each
 * number of steps. The engine's kernels round by the processor's vectors: goldens hold where they are as wide.
 */
const GOLDEN: readonly [string, string, DrawOptions & { readonly edit?: true }, readonly string[]][] = [
  ["by itself", "a red apple", { seed: 1 }, ["1a0f7f2520787094 9311349e9e8adbfa"]],
  [
    "two of one prompt",
    "a green frog",
    { seed: 3, count: 2 },
    ["741fec8bc8796085 bbd0555cca343055", "820e230fd3ad702e 6ce31795785de685"],
  ],
  [
    "without guidance, in another shape",
    "a yellow star",
    { seed: 2, size: { width: 96, height: 64 }, cfg: 1 },
    ["819be89b683f3324 6dfbbe435b590e5e"],
  ],
  [
    "an edit with three branches",
    "make it blue",
    { seed: 4, edit: true, cfgImg: 1.5, cfg: 3, size: { width: 128, height: 128 } },
    ["ae9231241dcc6b10 9719d4a87e860ca1"],
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
        "88668111a4e86e40 7a30c354ea5beed0",
        "d46597600f3d9966 4b662b80b3279796",
        "42d847b25e1fe13f c9aa69034d37a254",
        "c290a11982b6d09e 7fcc9828023d7a31",
        "fc6878e5d54a60ef 08333c91e215ae41",
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
