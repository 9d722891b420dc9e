/** @file Texts about subjects. */
import { describe, expect, it } from "vitest";
import { CounterRng } from "../../../tensor/counter-rng.ts";
import { emojiTexts } from "./emoji-texts.ts";
import { square } from "./test-subjects.ts";

describe("emojiTexts", () => {
  it("says names, synonyms, keywords, counts and places", () => {
    const car = square("car", "red", { synonyms: ["automobile"], keywords: ["vehicle", ":)", "b4", "road"] });
    const grapes = square("grapes", "red", { kind: "plural", withArticle: "grapes", plural: undefined });
    const texts = emojiTexts([car, grapes], new CounterRng(1));
    expect(texts).toEqual(
      expect.arrayContaining([
        "A car: vehicle, road.",
        '"An automobile" is another name for a car.',
        "A car, two cars, three cars, four cars.",
      ]),
    );
    expect(texts.filter((text) => text.startsWith("Grapes, two"))).toEqual([]);
    expect(emojiTexts([car, grapes], new CounterRng(1))).toEqual(texts);
  });
});
