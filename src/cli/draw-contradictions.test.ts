import { expect, it } from "vitest";
import { PLAIN_SETTINGS } from "../generate/settings.ts";
import { drawContradiction, outputContradiction, ownContradiction } from "./draw-contradictions.ts";
import type { DrawCommandOptions } from "./draw-options.ts";
import { testTerminal } from "./test-terminal.ts";

const PLAIN: DrawCommandOptions = { out: { kind: "folder", path: "." }, preview: true };
const FILE = { kind: "file", path: "apple.png" } as const;
const STDOUT = { kind: "stdout" } as const;

function contradiction(options: Partial<DrawCommandOptions>, prompts = ["a"], isTTY = false) {
  return drawContradiction(prompts, { ...PLAIN, ...options }, testTerminal({ isTTY }));
}

it("names both of two options that exclude each other", () => {
  const size = { width: 64, height: 64 };
  for (const [options, ...names] of [
    [{ size, aspect: "1:1" }, "--size", "--aspect"],
    [{ noiseLevel: 0.5, sampler: "ode" }, "--noise-level", "--sampler ode"],
    [{ cfgImg: 2 }, "--cfg-img", "--image"],
    [{ cfgImg: 2, cfg: 1, image: ["a.png"] }, "--cfg-img", "--cfg 1"],
    [{ cfg: 1, negative: "blurry" }, "--negative", "--cfg 1"],
    [{ cfg: 1, cfgSchedule: "linear" }, "--cfg-schedule", "--cfg 1"],
    [{ cfg: 1, cfgUntil: 0.5 }, "--cfg-until", "--cfg 1"],
    [{ steps: 8, lastSteps: 9 }, "--last-steps 9", "--steps 8"],
    [{ thinkTokens: 9 }, "--think-tokens", "--think"],
    [{ bestOf: 4, count: 2 }, "--best-of", "--count"],
    [{ by: "gain" }, "--by", "--best-of"],
    [{ bestOf: 4, data: "data" }, "--data", "--by"],
    [{ bestOf: 4, by: "gain", features: "net" }, "--features", "--by"],
    [{ thinkTemperature: 0 }, "--think-temperature", "--think"],
    [{ out: STDOUT, json: true }, "--out -", "--json"],
    [{ out: STDOUT, count: 2 }, "--out -", "2"],
    [{ out: FILE, count: 3 }, "--out apple.png", "3"],
    [{ out: FILE, saveTokens: "./apple.png" }, "--out", "--save-tokens"],
    [{ out: FILE, previewFile: "./apple.png" }, "--out", "--preview-file"],
    [{ saveTokens: "a.png", previewFile: "./a.png" }, "--save-tokens", "--preview-file"],
    [{ job: "a", saveTokens: "./a" }, "--job", "--save-tokens"],
  ] as const) {
    const text = contradiction(options);
    for (const name of names) expect(text, JSON.stringify(options)).toContain(name);
    expect(text).not.toContain("\n");
  }
  expect(contradiction({ out: STDOUT }, ["a", "b"])).toContain("name a folder");
});

it("lets pass what fits together", () => {
  for (const options of [
    {},
    { cfg: 1, negative: "", cfgImg: 1, cfgSchedule: "constant" },
    { cfg: 3, negative: "blurry", cfgImg: 2, image: ["a.png"] },
    { noiseLevel: 0.5, sampler: "cps" },
    { think: true, thinkTokens: 9, thinkTemperature: 1 },
    { noiseLevel: 0.5 },
    { cfg: 2, cfgUntil: 0.5, steps: 28, lastSteps: 10, stepSchedule: "two-stage" },
    { lastSteps: 10 },
    { out: STDOUT, saveTokens: "t.safetensors" },
    { out: FILE, json: true },
    { json: true, count: 4 },
  ] as const)
    expect(contradiction(options), JSON.stringify(options)).toBeUndefined();
});

it("keeps PNGs off the terminal", () => {
  expect(contradiction({ out: STDOUT }, ["a"], true)).toContain("terminal");
  expect(outputContradiction({ ...PLAIN, out: STDOUT }, 1, testTerminal({ isTTY: true }))).toContain(
    "terminal",
  );
});

it("names what contradicts the model's own settings", () => {
  const drawing = { ...PLAIN_SETTINGS, sampler: "ode", steps: 16, lastSteps: 8 } as const;
  const own = { drawing, editing: { ...drawing, sampler: "sde", lastSteps: null } } as const;
  const contradicts = (options: Partial<DrawCommandOptions>) =>
    ownContradiction({ ...PLAIN, ...options }, own);
  expect(contradicts({ noiseLevel: 1 })).toMatch(/^--noise-level .* ode.*: add --sampler/);
  expect(contradicts({ lastSteps: 17 })).toMatch(/^--last-steps 17 .* 16 .*: add --steps/);
  expect(contradicts({ steps: 7 })).toMatch(/^--steps 7 .* 8 .*: add --last-steps/);
  expect(contradicts({ image: ["a.png"], stepSchedule: "cosine" })).toMatch(
    /^--step-schedule .*: add --last-steps/,
  );
  for (const options of [
    {},
    { noiseLevel: 1, sampler: "cps" },
    { image: ["a.png"], noiseLevel: 1, steps: 2 },
    { stepSchedule: "cosine" },
    { lastSteps: 20, steps: 20 },
    { steps: 8 },
  ] as const)
    expect(contradicts(options), JSON.stringify(options)).toBeUndefined();
});
