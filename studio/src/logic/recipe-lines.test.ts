import { describe, expect, it } from "vitest";
import { testEntry } from "../test-jobs.ts";
import { differences, recipeLines } from "./recipe-lines.ts";
import { sizeChoices } from "./size-choices.ts";
import { duration, timeLeft } from "./time-left.ts";

describe("recipes in lines", () => {
  it("tell size, seed and what is not the model's own", () => {
    const entry = testEntry({ width: 256, height: 256 });
    const lines = recipeLines(entry, { cfg: 2.5, steps: 20, cfg_img: 1 }).slice(0, -1);
    expect(lines).toEqual([
      { name: "size", value: "256 × 256, drawn at 128 × 128" },
      { name: "seed", value: "7" },
      { name: "steps", value: "16" },
    ]);
  });

  it("tell the adapters that drew along, with scales that are not 1", () => {
    const { recipe } = testEntry();
    const adapters = [
      { name: "mug", scale: 1 },
      { name: "style", scale: -0.5 },
    ];
    const adapted = testEntry({ recipe: { ...recipe, adapters } });
    const line = { name: "adapters", value: "mug, style × -0.5" };
    expect(recipeLines(adapted, {})).toContainEqual(line);
    expect(differences(testEntry(), adapted)).toEqual([
      { name: "adapters", first: "none", second: line.value },
    ]);
  });

  it("differ in what differs alone", () => {
    expect(differences(testEntry(), testEntry({ id: "two", created: 5 }))).toEqual([]);
    const other = testEntry({ seed: 8, settings: { cfg: 4, steps: 16, cfg_img: 1 } });
    expect(differences(testEntry(), other)).toEqual([
      { name: "seed", first: "7", second: "8" },
      { name: "guidance", first: "2.5", second: "4" },
    ]);
  });
});

describe("sizes to choose from", () => {
  it("are those that were trained first, each once", () => {
    const choices = sizeChoices({ size: "128x128", sizes: ["128x128", "192x96"], tokenSide: 16 });
    expect(choices.slice(0, 2)).toEqual([
      { value: "128x128", label: "128 × 128, square", trained: true },
      { value: "192x96", label: "192 × 96, wide", trained: true },
    ]);
    expect(new Set(choices.map(({ value }) => value)).size).toBe(choices.length);
    expect(choices.length).toBeGreaterThan(6);
    for (const { value } of sizeChoices({ size: "256x256", sizes: [], tokenSide: 32 })) {
      expect(value.split("x").every((side) => Number(side) % 32 === 0)).toBe(true);
    }
  });
});

describe("durations", () => {
  it("are told in the unit that a glance takes in", () => {
    expect([-1, 0.4, 89, 95, 3600, 5400, 7500].map(duration)).toEqual([
      "0 s",
      "0 s",
      "89 s",
      "2 min",
      "60 min",
      "1 h 30 min",
      "2 h 5 min",
    ]);
    expect([{ seconds_left: 12 }, { seconds_left: 0 }, { seconds_left: null }, null].map(timeLeft)).toEqual([
      ", 12 s left",
      "",
      "",
      "",
    ]);
  });
});
