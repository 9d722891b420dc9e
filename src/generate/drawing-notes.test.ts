import { describe, expect, it } from "vitest";
import { closestSubjects, wordDistance } from "./closest-subjects.ts";
import { notesOn } from "./drawing-notes.ts";

const trained = {
  sizes: [
    [128, 128],
    [96, 160],
    [160, 96],
  ],
  subjects: ["red apple", "rocket", "sunflower", "running shoe", "cat", "hedgehog", "French horn"],
  words: [
    "a",
    "an",
    "red",
    "apple",
    "rocket",
    "sunflower",
    "running",
    "shoe",
    "cat",
    "hedgehog",
    "on",
    "blue",
  ],
} as const;

describe("closest subjects", () => {
  it("share a word or stem before they are spelled alike", () => {
    const names = ["maple", "red apple", "pineapple", "grape"];
    expect(closestSubjects("apples", names, 4)).toEqual(["red apple"]);
    expect(closestSubjects("apple", names, 4)).toEqual(["red apple", "pineapple"]);
    expect(closestSubjects("aple", names, 4)).toEqual(["red apple", "maple"].toReversed());
    expect(closestSubjects("flower", trained.subjects, 2)).toEqual(["sunflower"]);
    expect(closestSubjects("runner", trained.subjects, 2)).toEqual([]);
    expect(closestSubjects("shoes", trained.subjects, 2)).toEqual(["running shoe"]);
    expect(closestSubjects("french", trained.subjects, 2)).toEqual(["French horn"]);
  });

  it("are found for misspelled words, not for others", () => {
    expect(closestSubjects("rokcet", trained.subjects, 2)).toEqual(["rocket"]);
    expect(closestSubjects("hedghog", trained.subjects, 2)).toEqual(["hedgehog"]);
    expect(closestSubjects("cst", trained.subjects, 2)).toEqual(["cat"]);
    expect(closestSubjects("democracy", trained.subjects, 2)).toEqual([]);
    expect(closestSubjects("x", trained.subjects, 2)).toEqual([]);
  });

  it("are as far apart either way, whatever the order", () => {
    for (const [a, b] of [
      ["rocket", "rokcet"],
      ["apple", "apples"],
      ["cat", "dog"],
      ["sunflower", "flower"],
    ] as const) {
      expect(wordDistance(a, b)).toBe(wordDistance(b, a));
    }
    expect(wordDistance("cat", "cat")).toBe(0);
    expect(wordDistance("rocket", "rokcet")).toBeLessThan(wordDistance("rocket", "pocked"));
  });
});

describe("notes", () => {
  it("are none on what the model was trained for, or where nothing is known", () => {
    expect(notesOn("A red apple, on blue!", [128, 128], trained)).toEqual([]);
    expect(notesOn("a democracy", [16, 512], {})).toEqual([]);
    expect(notesOn("a democracy", [16, 512], { sizes: [], words: [], subjects: ["cat"] })).toEqual([]);
  });

  it("name the sizes that the model knows, the nearest first", () => {
    expect(notesOn("a cat", [96, 192], trained)).toEqual([
      {
        kind: "size",
        text: "the model was not trained for 192 x 96; it knows 160 x 96, 128 x 128, 96 x 160",
      },
    ]);
    const many = Array.from({ length: 20 }, (_, index) => [16, 16 * (index + 1)] as const);
    expect(notesOn("", [32, 32], { sizes: many })[0]?.text).toMatch(/and 12 more$/);
  });

  it("name the words that the model does not know, and what comes near", () => {
    expect(notesOn("two rokcets on a democracy", [128, 128], trained)).toEqual([
      {
        kind: "words",
        text: `the model's captions did not hold "two", "rokcets", "democracy"; the closest that it knows: "rocket"`,
        words: ["two", "rokcets", "democracy"],
        closest: ["rocket"],
      },
    ]);
    const hearts = { ...trained, subjects: [...trained.subjects, "blue heart", "blue whale"] };
    expect(notesOn("blu", [128, 128], hearts)[0]?.closest).toEqual(["blue", "blue heart", "blue whale"]);
    expect(notesOn("xyzzy", [128, 128], trained)[0]?.text).toBe(`the model's captions did not hold "xyzzy"`);
  });

  it("stay short and plain whatever the prompt is", () => {
    const prompt = Array.from({ length: 3000 }, (_, index) => `w${index}${"x".repeat(index)}`).join(" ");
    const [note] = notesOn(`${prompt} \u001b[2J`, [128, 128], trained);
    expect(note?.text.length).toBeLessThan(600);
    expect(note?.text).toMatch(/and 2993 more$/);
    expect(note?.text).toMatch(/^[^\p{Cc}]*$/u);
    expect(note?.words?.length).toBeLessThanOrEqual(3001);
  });
});
