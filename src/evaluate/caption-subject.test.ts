/** @file Subjects named in captions. */
import { expect, it } from "vitest";
import { isSameCaption, SubjectNames } from "./caption-subject.ts";

it("finds whole names, the longest first", () => {
  const names = new SubjectNames([
    { id: "dog", names: ["dog", "dogs"] },
    { id: "hot-dog", names: ["hot dog"] },
    { id: "apple", names: ["red apple", "apple"] },
    { id: "pineapple", names: ["pineapple"] },
    { id: "hamburger", names: ["hamburger", "burger"] },
  ]);
  expect(names.in("A hot dog on a red background")).toEqual(["hot-dog"]);
  expect(names.in("a dog and a hot dog")).toEqual(["hot-dog", "dog"]);
  expect(names.in("two dogs, flat style")).toEqual(["dog"]);
  expect(names.in("a pineapple")).toEqual(["pineapple"]);
  expect(names.in("a burger to the left of a Red Apple.")).toEqual(["apple", "hamburger"]);
  expect(names.in("something")).toEqual([]);
});

it("compares captions without capitals and marks", () => {
  expect(isSameCaption("A dog, flat style.", "a dog flat style")).toBe(true);
  expect(isSameCaption("a dog", "dog")).toBe(false);
});
