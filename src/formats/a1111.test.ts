/** @file The "parameters" text: round trips, and agreement with the original pattern on any line. */

import { describe, expect, it } from "vitest";
import { DataFormatError, InputError } from "../errors.ts";
import { CounterRng } from "../tensor/counter-rng.ts";
import { formatParameters, type GenerationParameters, parametersSize, parseParameters } from "./a1111.ts";

const recipe: GenerationParameters = {
  prompt: "a red apple, on a table\nsecond: line",
  negativePrompt: "blurry,\nlow quality",
  settings: new Map([
    ["Steps", "28"],
    ["Sampler", "NextStep SDE"],
    ["Schedule type", "constant shift=3.2"],
    ["CFG scale", "7.5"],
    ["Seed", "42"],
    ["Size", "512x768"],
    ["Model", 'odd, "name": here\\'],
    ["FM steps", ""],
    ["VAE/Hash-1", " padded "],
    ["Version", "nextstep 0.1.0"],
  ]),
};

describe("formatParameters", () => {
  it("writes the layout that galleries parse", () => {
    const settings = new Map([...recipe.settings].slice(0, 7));
    expect(formatParameters({ ...recipe, settings })).toBe(
      "a red apple, on a table\nsecond: line\n" +
        "Negative prompt: blurry,\nlow quality\n" +
        "Steps: 28, Sampler: NextStep SDE, Schedule type: constant shift=3.2, CFG scale: 7.5, Seed: 42, " +
        'Size: 512x768, Model: "odd, \\"name\\": here\\\\"',
    );
  });

  it("comes back through the parser", () => {
    expect(parseParameters(formatParameters(recipe))).toEqual(recipe);
    const bare = { ...recipe, prompt: "", negativePrompt: "" };
    expect(parseParameters(formatParameters(bare))).toEqual(bare);
    expect(parametersSize(recipe)).toEqual({ width: 512, height: 768 });
    expect(parametersSize({ ...recipe, settings: new Map() })).toBeUndefined();
  });

  it("refuses names that readers would not find, and too few settings", () => {
    for (const key of ["", "a", "a:b", "a,b", "Steps ", " Steps", 'q"q']) {
      const settings = new Map([
        ["ab", "1"],
        ["cd", "2"],
        ["ef", "3"],
        [key, "4"],
      ]);
      expect(() => formatParameters({ ...recipe, settings })).toThrow(InputError);
    }
    expect(() => formatParameters({ ...recipe, settings: new Map([["Steps", "1"]]) })).toThrow(/fewer/);
  });
});

describe("parseParameters", () => {
  it("reads a text of the web UI", () => {
    const read = parseParameters(
      "masterpiece, cat\nNegative prompt: bad hands\nmore\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512, " +
        'Model hash: 6ce0161689, Lora hashes: "a: b, c: d", Version: v1.9.4',
    );
    expect(read.prompt).toBe("masterpiece, cat");
    expect(read.negativePrompt).toBe("bad hands\nmore");
    expect([...read.settings].slice(-2)).toEqual([
      ["Lora hashes", "a: b, c: d"],
      ["Version", "v1.9.4"],
    ]);
  });

  it("takes a text without settings for a prompt", () => {
    expect(parseParameters("one: two, three: four")).toEqual({
      prompt: "one: two, three: four",
      negativePrompt: "",
      settings: new Map(),
    });
    expect(parseParameters("")).toEqual({ prompt: "", negativePrompt: "", settings: new Map() });
    expect(() => parseParameters("x".repeat(5_000_000))).toThrow(DataFormatError);
  });

  it("finds what the original pattern finds, on 5 000 random lines", () => {
    const original = /\s*([\p{L}\p{N}_][\p{L}\p{N}_ \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)/gu;
    const pieces = [
      "a",
      "Bc",
      "é",
      "9",
      "_",
      " ",
      "  ",
      "-",
      "/",
      ":",
      ",",
      '"',
      "\\",
      '\\"',
      "(",
      "Size: 1x2,",
      '"x, y"',
      "k1: v,",
      "key:",
    ];
    const rng = new CounterRng(5);
    let found = 0;
    for (let round = 0; round < 5_000; round++) {
      const line = Array.from({ length: rng.below(24) }, () => pieces[rng.below(pieces.length)]!)
        .join("")
        .trim();
      const matches = [...line.matchAll(original)].map((match) => [match[1]!, match[2]!] as const);
      const expected = new Map(
        matches.map(([key, value]) => {
          try {
            const parsed: unknown = value.length > 1 && value.startsWith('"') ? JSON.parse(value) : value;
            return [key, typeof parsed === "string" ? parsed : value];
          } catch {
            return [key, value];
          }
        }),
      );
      const { settings } = parseParameters(line);
      expect([...settings], line).toEqual(matches.length >= 3 ? [...expected] : []);
      if (matches.length >= 3) found++;
    }
    expect(found).toBeGreaterThan(300);
  });

  it("stays linear where the pattern would not", () => {
    for (const part of ["a", "a ", ":", 'k1:"', 'k1:"\\",', "\\", "k1:,", 'k1:"\\x",', "a:", "\n"]) {
      const start = performance.now();
      parseParameters(part.repeat(Math.floor(1_000_000 / part.length)));
      expect(performance.now() - start, part).toBeLessThan(5000);
    }
  });
});
