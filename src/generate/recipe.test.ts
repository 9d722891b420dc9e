import { describe, expect, it } from "vitest";
import { NextStepError } from "../errors.ts";
import { parseRecipe, type Recipe } from "./recipe.ts";
import { PLAIN_SETTINGS } from "./settings.ts";

const recipe: Recipe = {
  version: 1,
  model: "default",
  prompt: "a boat\nat sea",
  seed: Number.MAX_SAFE_INTEGER,
  width: 64,
  height: 32,
  settings: { ...PLAIN_SETTINGS, cfg: 2.5, sampler: "ode" },
  images: [{ sha256: "0123456789abcdef".repeat(4), width: 16, height: 32 }],
  injectedNoise: true,
};

const latest: Recipe = {
  ...recipe,
  version: 3,
  modelDigest: "fedcba9876543210".repeat(4),
  threads: 3,
  kept: {
    cells: [
      [0, 1],
      [4, 6],
    ],
    sha256: "0".repeat(64),
    tokens: "AAAAAA==",
  },
};

const thoughtful: Recipe = {
  ...latest,
  version: 3,
  thought: { text: "<|begin_of_thinking|>a sail", ids: [7, 1, 2], finishReason: "length" },
};

const adapted: Recipe = {
  ...latest,
  version: 4,
  adapters: [{ name: "mug", digest: "ab".repeat(32), scale: -0.5 }],
};

describe("parseRecipe", () => {
  it("holds adapters in a version of their own, which readers before it refuse", () => {
    expect(parseRecipe(JSON.stringify(adapted), "x.png")).toEqual(adapted);
    const read = (change: object) => () => parseRecipe(JSON.stringify({ ...adapted, ...change }), "x.png");
    expect(read({ version: 3 })).toThrow(/adapters/);
    expect(read({ adapters: undefined })).toThrow(/adapters/);
    expect(read({ adapters: [] })).toThrow(/adapters/);
    expect(read({ adapters: [{ name: "mug", digest: "ab", scale: 1 }] })).toThrow(/adapters/);
    expect(read({ adapters: [{ name: "mug", digest: "ab".repeat(32), scale: 99 }] })).toThrow(/adapters/);
  });

  it("reads what was written", () => {
    expect(parseRecipe(JSON.stringify(recipe), "x.png")).toEqual(recipe);
    expect(parseRecipe(JSON.stringify(latest), "x.png")).toEqual(latest);
    expect(parseRecipe(JSON.stringify(thoughtful), "x.png")).toEqual(thoughtful);
    const { images: _, injectedNoise: __, ...plain } = recipe;
    expect(parseRecipe(JSON.stringify(plain), "x.png")).toEqual(plain);
  });

  it("takes what earlier versions did not know for switched off", () => {
    const { cfgUntil: _, lastSteps: __, stepSchedule: ___, ...known } = recipe.settings;
    const read = (version: number) =>
      parseRecipe(JSON.stringify({ ...recipe, version, settings: known }), "x.png");
    expect(read(2)).toEqual({ ...recipe, version: 2 });
    expect(() => read(3)).toThrow(/settings\.cfgUntil/);
  });

  it("leaves out what it does not know", () => {
    expect(parseRecipe(JSON.stringify({ ...recipe, extra: 1 }), "x.png")).toEqual(recipe);
  });

  it.each<[string, object]>([
    ["another version", { version: 4 }],
    ["a thought that is none", { thought: { text: "a", ids: [-1], finishReason: "stop" } }],
    ["a digest that is none", { modelDigest: "x" }],
    ["no threads", { threads: 0 }],
    ["images beyond all pictures", { images: [{ sha256: "0".repeat(64), width: 1e9, height: 16 }] }],
    [
      "kept cells out of order",
      {
        kept: {
          cells: [
            [2, 3],
            [0, 1],
          ],
          sha256: "0".repeat(64),
        },
      },
    ],
    ["kept cells without end", { kept: { cells: [[0, 2 ** 40]], sha256: "0".repeat(64) } }],
    ["kept tokens that are no base64", { kept: { cells: [[0, 1]], sha256: "0".repeat(64), tokens: "§" } }],
    [
      "kept tokens beyond all bounds",
      { kept: { cells: [[0, 1]], sha256: "0".repeat(64), tokens: "AAAA".repeat(1 << 20) } },
    ],
    ["no prompt", { prompt: undefined }],
    ["a model that is no name", { model: 3 }],
    ["a fraction of a seed", { seed: 1.5 }],
    ["a negative seed", { seed: -1 }],
    ["no width", { width: 0 }],
    ["a width beyond all pictures", { width: 1e9 }],
    ["a seed beyond all seeds", { seed: 2 ** 53 }],
    ["no settings", { settings: null }],
    ["a missing setting", { settings: { ...recipe.settings, cfg: undefined } }],
    ["a wrong setting", { settings: { ...recipe.settings, steps: 1e9 } }],
    ["images that are no list", { images: {} }],
    ["an image without a hash", { images: [{ sha256: "x", width: 1, height: 1 }] }],
  ])("refuses %s, naming the file", (_, change) => {
    const text = JSON.stringify({ ...recipe, ...change });
    expect(() => parseRecipe(text, "x.png")).toThrow(NextStepError);
    expect(() => parseRecipe(text, "x.png")).toThrow(/^x\.png/);
  });

  it.each(["", "{", "null", "[]", "3"])("refuses %j", (text) => {
    expect(() => parseRecipe(text, "x.png")).toThrow(NextStepError);
  });
});
