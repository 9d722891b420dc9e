import { describe, expect, it } from "vitest";
import { ConfigError, DataFormatError } from "../../errors.ts";
import { applyTemplate, capitalize, drawCaption, removeLeadIns } from "./captions.ts";
import {
  augmentEditCaption,
  augmentInterleavedCaption,
  matchSimilarSizes,
  taggedImages,
} from "./edit-captions.ts";
import { chooseWeighted } from "./mixing.ts";
import { measureImages, rejectSample, type SampleInfo } from "./sample-filter.ts";

/** A generator that gives the listed numbers in turn, and fails when asked for more. */
function scripted(...numbers: number[]): () => number {
  return () => {
    const next = numbers.shift();
    if (next === undefined) throw new Error("drawn too often");
    return next;
  };
}

const NO = 0.99;
const YES = 0;

describe("choice by weight", () => {
  it("gives each entry its share", () => {
    const picks = Array.from({ length: 8 }, (_, n) => chooseWeighted([1, 0, 2, 1], () => n / 8));
    expect(picks).toEqual([0, 0, 2, 2, 2, 2, 3, 3]);
    expect(chooseWeighted([0.1, 0.2, 0], () => 1 - 2 ** -53)).toBe(1);
  });

  it("refuses weights that leave no choice", () => {
    for (const weights of [[], [0, 0], [1, -1], [Number.NaN]]) {
      expect(() => chooseWeighted(weights, () => 0)).toThrow(ConfigError);
    }
  });
});

describe("captions", () => {
  it("are drawn among the keys that hold text", () => {
    const source = { keys: ["none", ["a", "b"], "list", "object"], ratios: [5, 1, 1, 2] };
    const metadata = { none: 7, a: { b: "deep" }, list: ["x", 3, "y"], object: { k: "z" } };
    expect(drawCaption(metadata, source, scripted(0.2, NO))).toBe("deep");
    expect(drawCaption(metadata, source, scripted(0.3, 0.5, NO))).toBe("y");
    expect(drawCaption(metadata, source, scripted(0.9, NO))).toBe("z");
    expect(drawCaption({ a: { b: ["no text"] } }, source, scripted())).toBeNull();
    for (const odd of [null, 3, "text", []]) expect(drawCaption(odd, source, scripted())).toBeNull();
    expect(drawCaption({}, { keys: ["constructor", "__proto__"], ratios: [1, 1] }, scripted())).toBeNull();
  });

  it("lose stock lead-ins under keys of all captions", () => {
    const caption = "The image shows a cat. The image is grey. 这张图片展示了猫";
    const source = (key: string) => ({ keys: [key], ratios: [1] });
    expect(drawCaption({ caption_all_cn: caption }, source("caption_all_cn"), scripted(0, NO))).toBe(
      "a cat. grey. 猫",
    );
    expect(drawCaption({ caption }, source("caption"), scripted(0, NO))).toBe(caption);
    expect(removeLeadIns("In this image, nothing")).toBe("nothing");
  });

  it("are capitalised half of the time, which lower-cases the rest", () => {
    const source = { keys: ["c"], ratios: [1] };
    expect(drawCaption({ c: "a photo of NASA" }, source, scripted(0, 0.49))).toBe("A photo of nasa");
    expect(drawCaption({ c: "a photo of NASA" }, source, scripted(0, 0.5))).toBe("a photo of NASA");
  });

  it("are capitalised as Python does", () => {
    const expected: [string, string][] = [
      ["", ""],
      ["A photo of NASA in Paris", "A photo of nasa in paris"],
      ["ßtraße", "Sstraße"],
      ["ǆUNGLA", "ǅungla"],
      ["ﬁSH", "Fish"],
      ["ΌΔΟΣ", "Όδος"],
      ["éCOLE", "École"],
      ["1ST", "1st"],
      ["İstanbul", "İstanbul"],
      ["ᾳX", "ᾼx"],
      ["აბ", "აბ"],
      ["😀A", "😀a"],
    ];
    for (const [text, capitalised] of expected) expect(capitalize(text)).toBe(capitalised);
  });

  it("fill templates", () => {
    expect(applyTemplate("Draw {text}, {{please}}: {text}", "a {cat} $&")).toBe(
      "Draw a {cat} $&, {please}: a {cat} $&",
    );
    for (const template of ["{", "}", "{other}", "{text"]) {
      expect(() => applyTemplate(template, "x")).toThrow(ConfigError);
    }
  });
});

describe("editing captions", () => {
  const two = "<image_0>make it red<image_1>";
  const three = "<image_0>and<image_1>make<image_2>";

  it("stay, or get their tags last", () => {
    expect(augmentEditCaption(two, scripted(NO, NO))).toBe(two);
    expect(augmentEditCaption(two, scripted(YES, NO))).toBe("make it red<image_0><image_1>");
    expect(augmentEditCaption("<image_0>again", scripted(YES))).toBe("again<image_0>");
  });

  it("lose an image or the text", () => {
    expect(augmentEditCaption(two, scripted(NO, YES, 0))).toBe("make it red<image_1>");
    expect(augmentEditCaption(two, scripted(NO, YES, 0.4))).toBe("<image_0><image_1>");
    expect(augmentEditCaption(two, scripted(NO, YES, 0.9))).toBe("<image_0><image_1>");
    expect(augmentEditCaption(three, scripted(NO, YES, 0.29))).toBe("and<image_1>make<image_2>");
    expect(augmentEditCaption(three, scripted(NO, YES, 0.31))).toBe("<image_0>andmake<image_2>");
    expect(augmentInterleavedCaption(three, scripted(YES))).toBe("<image_0><image_1><image_2>");
    expect(augmentInterleavedCaption(three, scripted(NO))).toBe(three);
  });

  it("name their images", () => {
    expect(taggedImages("<image_1>a<image_0><image_1>", 2)).toEqual([1, 0, 1]);
    expect(() => taggedImages("<image_2>", 2)).toThrow(DataFormatError);
  });

  it("bring images of nearly one ratio to one size", () => {
    const sizes = [
      [100, 200],
      [104, 199],
      [300, 200],
    ] as const;
    expect(matchSimilarSizes(sizes)).toEqual([
      [100, 199],
      [100, 199],
      [300, 200],
    ]);
    expect(
      matchSimilarSizes([
        [64, 64],
        [32, 32],
      ]),
    ).toEqual([
      [64, 64],
      [32, 32],
    ]);
  });
});

describe("filters", () => {
  const info: SampleInfo = {
    ...measureImages([
      [300, 400],
      [500, 200],
    ]),
    caption: "A Watermark here",
    metadata: { score: 5, text: "no" },
  };
  const never = () => {
    throw new Error("not to be drawn");
  };

  it("measure a sample by its smallest sides and its largest aspect", () => {
    expect(info).toMatchObject({ height: 300, width: 200, aspectRatio: 2.5 });
  });

  it("let a sample pass that meets every bound exactly", () => {
    const filter = {
      height: 300,
      width: 200,
      area: [60_000, 60_000] as const,
      aspectRatio: 2.5,
      numbers: { score: 5 },
    };
    expect(rejectSample(info, filter, never)).toBeNull();
    expect(rejectSample(info, {}, never)).toBeNull();
    expect(rejectSample(info, { numbers: { score: -5, missing: 3 } }, never)).toBeNull();
  });

  it("name what is wrong", () => {
    expect(rejectSample(info, { height: 301 }, never)).toContain("300x200");
    expect(rejectSample(info, { width: 201 }, never)).toContain("300x200");
    expect(rejectSample(info, { area: 60_001 }, never)).toContain("60000");
    expect(rejectSample(info, { area: [0, 59_999] }, never)).toContain("60000");
    expect(rejectSample(info, { aspectRatio: 2.4 }, never)).toContain("2.50");
    expect(rejectSample(info, { numbers: { score: 6 } }, never)).toBe("score of 5");
    expect(rejectSample(info, { numbers: { score: -4 } }, never)).toBe("score of 5");
    expect(rejectSample(info, { numbers: { text: 1 } }, never)).toBe("text is not a number");
  });

  it("drop keywords with their probability, by the lower-case caption", () => {
    const filter = { keywords: [{ word: "WaterMark", dropProbability: 0.5 }] };
    const seen: string[] = [];
    const draw = (value: number) => (caption: string) => {
      seen.push(caption);
      return value;
    };
    expect(rejectSample(info, filter, draw(0.4))).toContain("WaterMark");
    expect(rejectSample(info, filter, draw(0.5))).toBeNull();
    expect(seen).toEqual(["a watermark here", "a watermark here"]);
  });
});
