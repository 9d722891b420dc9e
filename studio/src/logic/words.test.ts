import { describe, expect, it } from "vitest";
import { accept, remarksOn, stemsAt, suggest } from "./words.ts";

const SUBJECTS = ["red apple", "dog", "giraffe", "red heart", "crescent moon", "birthday cake", "hot dog"];
const WORDS = ["a", "on", "red", "apple", "dog", "giraffe", "blue", "background"];

describe("suggestions", () => {
  it("are subjects that begin with the words at the caret, then such with a word that does", () => {
    const subjects = (text: string) => suggest(text, text.length, SUBJECTS).map(({ subject }) => subject);
    expect(subjects("a red")).toEqual(["red apple", "red heart"]);
    expect(subjects("a red ap")).toEqual(["red apple"]);
    expect(subjects("a moo")).toEqual(["crescent moon"]);
    expect(subjects("a girafe")).toEqual(["giraffe"]);
    expect(subjects("a giraffe")).toEqual([]);
    expect(subjects("a do")).toEqual(["dog", "hot dog"]);
    expect(subjects("a dog")).toEqual([]);
    expect(subjects("a g")).toEqual([]);
    expect(subjects("")).toEqual([]);
  });

  it("do not come inside a word", () => {
    expect(stemsAt("red apple", 2)).toEqual([]);
    expect(stemsAt("red apple", 3)).toEqual([{ start: 0, text: "red" }]);
  });

  it("replace what they complete, and leave what follows", () => {
    const text = "a red ap on blue";
    const [found] = suggest(text, 8, SUBJECTS);
    expect(found && accept(text, 8, found)).toEqual({ text: "a red apple on blue", caret: 11 });
  });
});

describe("remarks", () => {
  const model = {
    sizes: ["128x128"],
    subjects: SUBJECTS,
    words: WORDS,
    tokenSide: 16,
    maxTokens: 256,
  } as const;
  it("name words that the model does not know with what it knows instead", () => {
    const [remark] = remarksOn("a red appel", { width: 128, height: 128 }, model);
    expect(remark).toMatchObject({ kind: "words", words: ["appel"], closest: ["apple", "red apple"] });
    const [colour] = remarksOn("a dog on blu background", { width: 128, height: 128 }, model);
    expect(colour).toMatchObject({ words: ["blu"], closest: ["blue"] });
    const hearts = { ...model, subjects: [...SUBJECTS, "blue heart"] };
    const [word] = remarksOn("a dog on blu background", { width: 128, height: 128 }, hearts);
    expect(word?.closest).toEqual(["blue", "blue heart"]);
  });

  it("name sizes that it was not trained for, and are silent where nothing is known", () => {
    const text = (width: number) => remarksOn("a dog", { width, height: 128 }, model)[0]?.text;
    expect(text(256)).toBe("the model was not trained for 256 x 128; it knows 128 x 128");
    expect(text(1024)).toBe("1024 × 128 is more than this server draws: it is drawn smaller and stretched");
    const nothing = { ...model, sizes: [], subjects: [], words: [] };
    expect(remarksOn("xyz", { width: 1, height: 1 }, nothing)).toEqual([]);
  });
});
