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
  ["by itself", "a red apple", { seed: 1 }, ["096fea4831672ede 14b7b834cd3fff3c"]],
  [
    "two of one prompt",
    "a green frog",
    { seed: 3, count: 2 },
    ["eb323d3c4f4df3f9 6d184ef6bd225204", "b859254131ea8b66 169c8b35abddf928"],
  ],
  [
    "without guidance, in another shape",
    "a yellow star",
    { seed: 2, size: { width: 96, height: 64 }, cfg: 1 },
    ["d4d1e532566a8d16 20352df5034520cd"],
  ],
  [
    "an edit with three branches",
    "make it blue",
    { seed: 4, edit: true, cfgImg: 1.5, cfg: 3, size: { width: 128, height: 128 } },
    ["4bc7ab3e16c9f609 1432e521d40a2792"],
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
        "d5b8d6e058c999f3 bd95d1183f4cedc2",
        "9c8ede244e6e0147 a8fdde673b736fb9",
        "6975636b04f1a5e4 33b9c828d08f79aa",
        "7637892cf18f7553 5e9c648c0fb2fe18",
        "307b99f8f6997377 b493afff05502bae",
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
