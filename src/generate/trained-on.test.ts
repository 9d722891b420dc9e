import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ConfigError, ModelFormatError } from "../errors.ts";
import { LocalFolder } from "../files/local-folder.ts";
import { testModelPath } from "./test-models.ts";
import { parseTrainedOn, readTrainedOn, trainedBeside, wordsOf } from "./trained-on.ts";

it("takes words of any script, in lower case and composed form", () => {
  expect(wordsOf("A Cafe\u0301, 2 cats' HÄUSER; 家 jack-o'-lantern")).toEqual([
    "a",
    "caf\u00e9",
    "2",
    "cats",
    "häuser",
    "家",
    "jack",
    "o",
    "lantern",
  ]);
  expect(wordsOf(" ,. ")).toEqual([]);
});

describe("trained of nextstep.json", () => {
  it("is read as it stands, each list there or not", () => {
    const trained = { sizes: [[128, 64]], subjects: ["red apple", "Santa Claus"], words: ["a", "é", "家"] };
    expect(parseTrainedOn({ generation: {}, trained }, "x")).toEqual(trained);
    expect(parseTrainedOn({ trained: { words: [] } }, "x")).toEqual({ words: [] });
    expect(parseTrainedOn({ generation: {} }, "x")).toEqual({});
  });

  it.each<[string, unknown, RegExp]>([
    ["what is no object", [], /^x: trained: is not an object/],
    ["unknown keys", { size: [] }, /"size" is not known/],
    ["sizes that are no list", { sizes: 128 }, /trained\.sizes: is not a list/],
    ["sizes of one side", { sizes: [[128]] }, /trained\.sizes: .*\[128\]/],
    ["sizes without pixels", { sizes: [[0, 16]] }, /trained\.sizes/],
    ["sizes beyond all pictures", { sizes: [[1e9, 16]] }, /trained\.sizes/],
    ["subjects without a word", { subjects: ["apple", " - "] }, /trained\.subjects/],
    ["subjects that are no text", { subjects: [null] }, /trained\.subjects/],
    ["subjects as long as captions", { subjects: ["a ".repeat(200)] }, /trained\.subjects/],
    ["too many subjects", { subjects: new Array(20_001).fill("a") }, /20001.*at most 20000/],
    ["too many words", { words: new Array(50_001).fill("a") }, /50001.*at most 50000/],
    ["words in upper case", { words: ["Red"] }, /trained\.words/],
    ["words that are decomposed", { words: ["cafe\u0301"] }, /trained\.words/],
    ["phrases for words", { words: ["red apple"] }, /trained\.words/],
  ])("is refused: %s", (_, trained, message) => {
    const read = () => parseTrainedOn({ trained }, "x");
    expect(read).toThrow(ConfigError);
    expect(read).toThrow(message);
  });

  it("is looked for in the model's folder", async () => {
    const folder = await mkdtemp(join(tmpdir(), "nextstep-trained-"));
    try {
      expect(await readTrainedOn(new LocalFolder(folder))).toEqual({});
      await writeFile(join(folder, "nextstep.json"), "{");
      await expect(readTrainedOn(new LocalFolder(folder))).rejects.toThrow(ModelFormatError);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it("is joined with what adapters were trained on, unless one does not tell its words", () => {
    const model = { sizes: [[8, 8]], subjects: ["cup"], words: ["a", "cup"] } as const;
    const adapter = { sizes: [[8, 16]], words: ["my", "mug"] } as const;
    expect(trainedBeside(model, [adapter])).toEqual({
      sizes: [
        [8, 8],
        [8, 16],
      ],
      subjects: ["cup"],
      words: ["a", "cup", "my", "mug"],
    });
    expect(trainedBeside(model, [adapter, {}])).not.toHaveProperty("words");
    expect(trainedBeside(model, [])).toBe(model);
    expect(trainedBeside({}, [adapter])).toEqual({});
  });

  it("says of the package's model what it can be asked for", async () => {
    const {
      sizes,
      subjects = [],
      words = [],
    } = await readTrainedOn(new LocalFolder(testModelPath("default")));
    expect(sizes?.length).toBeGreaterThan(0);
    const known = new Set(words);
    expect(subjects.flatMap(wordsOf).filter((word) => !known.has(word))).toEqual([]);
    expect(subjects).toContain("red apple");
  });
});
