import { describe, expect, it } from "vitest";
import { pictureTarget, probability, shareBelowOne, someOf } from "./option-values.ts";

describe("pictureTarget", () => {
  it("tells files, folders and standard output apart", () => {
    expect(pictureTarget("out/apple.PNG")).toEqual({ kind: "file", path: "out/apple.PNG" });
    expect(pictureTarget("out")).toEqual({ kind: "folder", path: "out" });
    expect(pictureTarget("-")).toEqual({ kind: "stdout" });
  });

  it("refuses what cannot be meant", () => {
    expect(() => pictureTarget("apple.jpg")).toThrow(/\.png/);
    expect(() => pictureTarget("")).toThrow(/standard output/);
  });
});

it("takes numbers within their bounds alone", () => {
  expect([shareBelowOne({ zero: true })("0"), shareBelowOne({ zero: false })("0.25")]).toEqual([0, 0.25]);
  for (const text of ["1", "", "x", "-0.1"]) expect(() => shareBelowOne({ zero: true })(text)).toThrow();
  expect(() => shareBelowOne({ zero: false })("0")).toThrow(/above 0/);
  expect(probability("1")).toBe(1);
  for (const text of ["0", "1.1", "", "NaN"]) expect(() => probability(text)).toThrow();
});

it("takes some of a list of names", () => {
  expect(someOf(["a", "b", "c"])("c, a")).toEqual(["c", "a"]);
  expect(() => someOf(["a", "b"])("a,d")).toThrow(/a, b/);
});
