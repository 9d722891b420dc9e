/** @file What JavaScript may hand in, without a model. */
import { describe, expect, it } from "vitest";
import { NextStepError } from "../errors.ts";
import { checkDrawOptions, type DrawOptions } from "./draw-options.ts";

/** As a caller without types has it. */
const check = checkDrawOptions as (prompts: unknown, options: unknown) => void;

describe("checkDrawOptions", () => {
  it("takes what fits", () => {
    const options: DrawOptions = {
      size: { width: 32, height: 48 },
      images: ["a.png", new Uint8Array(), { width: 16, height: 16, data: new Uint8Array(768) }],
      signal: new AbortController().signal,
    };
    expect(() => check(["a", "b"], options)).not.toThrow();
  });

  it.each<[string, unknown, unknown]>([
    ["a number for a prompt", 5, {}],
    ["no prompt", undefined, {}],
    ["a number among prompts", ["a", 5], {}],
    ["no options", ["a"], null],
    ["a text for options", ["a"], "fast"],
    ["a text for a size", ["a"], { size: "32x32" }],
    ["nothing for a size", ["a"], { size: null }],
    ["a side beyond all pictures", ["a"], { size: { width: 1e9, height: 16 } }],
    ["a text for a count", ["a"], { count: "2" }],
    ["a number for an image", ["a"], { images: [5] }],
    ["nothing for an image", ["a"], { images: [null] }],
    ["an object for a signal", ["a"], { signal: {} }],
    ["an object for a seed", ["a"], { seed: {} }],
  ])("refuses %s with a typed error", (_, prompts, options) => {
    expect(() => check(prompts, options)).toThrow(NextStepError);
  });
});
