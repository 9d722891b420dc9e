/** @file Articles and plurals of the phrases that captions are made of. */
import { describe, expect, it } from "vitest";
import { numberWord, pluralOf, withArticle, withIndefiniteArticle } from "./english-noun.ts";

describe("withIndefiniteArticle", () => {
  it.each([
    ["red apple", "a red apple"],
    ["owl", "an owl"],
    ["unicorn", "a unicorn"],
    ["unamused face", "an unamused face"],
    ["umbrella", "an umbrella"],
    ["hourglass", "an hourglass"],
    ["one-piece swimsuit", "a one-piece swimsuit"],
    ["euro banknote", "a euro banknote"],
    ["x-ray", "an x-ray"],
    ["SUV", "an SUV"],
    ["t-shirt", "a t-shirt"],
    ["eagle", "an eagle"],
  ])("%s", (phrase, expected) => {
    expect(withIndefiniteArticle(phrase)).toBe(expected);
  });
});

describe("withArticle", () => {
  it("leaves out what the kind does not take", () => {
    expect(withArticle("grapes", "plural")).toBe("grapes");
    expect(withArticle("popcorn", "mass")).toBe("popcorn");
    expect(withArticle("Statue of Liberty", "the")).toBe("the Statue of Liberty");
    expect(withArticle("Santa Claus", "name")).toBe("Santa Claus");
  });
});

describe("pluralOf", () => {
  it.each([
    ["red apple", "red apples"],
    ["cherry blossom", "cherry blossoms"],
    ["strawberry", "strawberries"],
    ["monkey", "monkeys"],
    ["fox", "foxes"],
    ["bus", "buses"],
    ["wolf", "wolves"],
    ["computer mouse", "computer mice"],
    ["tropical fish", "tropical fish"],
    ["glass of milk", "glasses of milk"],
    ["loaf of bread", "loaves of bread"],
    ["face with tears of joy", "faces with tears of joy"],
    ["monkey covering its eyes", "monkeys covering its eyes"],
    ["plate of curry and rice", "plates of curry and rice"],
    ["volcano", "volcanoes"],
    ["snowman", "snowmen"],
  ])("%s", (phrase, expected) => {
    expect(pluralOf(phrase)).toBe(expected);
  });

  it("does not count a head of two nouns", () => {
    expect(pluralOf("cricket bat and ball")).toBeUndefined();
  });
});

it("spells small numbers", () => {
  expect([2, 3, 4, 11].map(numberWord)).toEqual(["two", "three", "four", "11"]);
});
