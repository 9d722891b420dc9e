/** @file Settings given by path. */
import { describe, expect, it } from "vitest";
import type { JsonValue } from "../plain-json.ts";
import { applyOverrides, parseOverride } from "./config-overrides.ts";

const apply = (config: JsonValue, ...texts: string[]) => applyOverrides(config, texts.map(parseOverride));

describe("parseOverride", () => {
  it.each([
    ["seed=7", 7],
    ["seed=-1e-3", -0.001],
    ["muon=null", null],
    ["aspectBuckets=false", false],
    ['textTokenizer={"tokens":300}', { tokens: 300 }],
    ["output=runs/a=b", "runs/a=b"],
    ["output=", ""],
    ['output="7"', "7"],
  ])("takes JSON, or a text: %s", (text, value) => {
    expect(parseOverride(text)).toEqual({ path: [text.slice(0, text.indexOf("="))], value });
  });

  it.each(["batch", "=3", "a..b=1", ".a=1", ""])("refuses %j", (text) => {
    expect(() => parseOverride(text)).toThrow(/is not KEY\.PATH=VALUE/);
  });
});

describe("applyOverrides", () => {
  const config = { batch: 2, loop: { keep: 3 }, phases: [{ crop: 8, steps: 4 }], muon: null };

  it("replaces, adds and leaves the rest", () => {
    expect(apply(config, "batch=8", "loop.ema=0.9", "optimizer.betas.0=1", "batch=9")).toEqual({
      ...config,
      batch: 9,
      loop: { keep: 3, ema: 0.9 },
      optimizer: { betas: { 0: 1 } },
    });
    expect(apply(config, "phases.0.steps=5", 'phases.1={"crop":16}', "muon.momentum=0.5")).toEqual({
      ...config,
      phases: [{ crop: 8, steps: 5 }, { crop: 16 }],
      muon: { momentum: 0.5 },
    });
    expect(config.phases).toEqual([{ crop: 8, steps: 4 }]);
  });

  it("refuses paths that lead nowhere, by name", () => {
    expect(() => apply(config, "batch.size=3")).toThrow(/^batch: is 2, in which nothing can be set/);
    expect(() => apply(config, "phases.2.steps=3")).toThrow(/^phases: has no entry "2"/);
    expect(() => apply(config, "phases.first.steps=3")).toThrow(/^phases: has no entry "first"/);
  });

  it("makes keys of objects nothing but keys", () => {
    const made = apply({}, "__proto__.polluted=1", "constructor.prototype.polluted=1");
    expect(Object.keys(made as object)).toEqual(["__proto__", "constructor"]);
    expect({}).not.toHaveProperty("polluted");
  });
});
