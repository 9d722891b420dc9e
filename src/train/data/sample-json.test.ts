/** @file Captions of a description and the choice among them. */
import { describe, expect, it } from "vitest";
import { DataFormatError } from "../../errors.ts";
import { captionsOf, parseSampleJson, pickCaption } from "./sample-json.ts";

const parse = (value: unknown) => parseSampleJson(new TextEncoder().encode(JSON.stringify(value)), "test");
const captions = (value: unknown) => captionsOf(parse(value), "test");

describe("captionsOf", () => {
  it("weighs alternatives as told", () => {
    const sample = { caption: "a", caption_all: ["a", "b"], metadata: { caption_weights: [3, 1] } };
    expect(captions(sample)).toEqual([
      { text: "a", weight: 0.75 },
      { text: "b", weight: 0.25 },
    ]);
  });

  it("weighs all alike without weights, whatever form they have", () => {
    expect(captions({ caption: "x" })).toEqual([{ text: "x", weight: 1 }]);
    expect(captions({ text: "plain" })).toEqual([{ text: "plain", weight: 1 }]);
    const named = captions({ caption: "x", caption_all: { short: "y", long: ["z", "x"], none: " " } });
    expect(named.map((caption) => caption.text)).toEqual(["x", "y", "z"]);
    expect(named.every((caption) => caption.weight === 1 / 3)).toBe(true);
    expect(captions({})).toEqual([]);
  });

  it("leaves out what is null or blank", () => {
    expect(captions({ caption: null, caption_all: null, text: "plain", metadata: null })).toEqual([
      { text: "plain", weight: 1 },
    ]);
    expect(captions({ caption: " ", caption_all: { a: null, b: ["x", null, ""] } })).toEqual([
      { text: "x", weight: 1 },
    ]);
    const weighted = (all: unknown[]) =>
      captions({ caption_all: all, metadata: { caption_weights: [1, 1, 2] } });
    expect(weighted(["a", null, "b"])).toEqual([
      { text: "a", weight: 1 / 3 },
      { text: "b", weight: 2 / 3 },
    ]);
    expect(weighted(["", null, "\n"])).toEqual([]);
  });

  it("names the field that is wrong, also among alternatives", () => {
    expect(() => captions({ caption_all: { a: ["x", 3] } })).toThrow(/test: caption_all\.a\.1: .*string/);
    expect(() => captions({ caption_all: 7 })).toThrow(/test: caption_all: .*expected/);
    expect(() => captions([])).toThrow(/test: the description: .*object/);
  });

  it("refuses weights that do not fit", () => {
    const weighted = (weights: number[]) => () =>
      captions({ caption_all: ["a"], metadata: { caption_weights: weights } });
    expect(weighted([1, 1])).toThrow(DataFormatError);
    expect(weighted([0])).toThrow(DataFormatError);
    expect(weighted([-1])).toThrow(DataFormatError);
  });
});

describe("parseSampleJson", () => {
  it.each(["", "{", "[]", "null", '{"caption": 3}', '{"caption_all": [1]}', "\xff"])("refuses %j", (text) => {
    expect(() =>
      parseSampleJson(
        Uint8Array.from(text, (c) => c.charCodeAt(0)),
        "test",
      ),
    ).toThrow(DataFormatError);
  });
});

it("picks by weight", () => {
  const list = [
    { text: "a", weight: 0.75 },
    { text: "b", weight: 0.25 },
    { text: "never", weight: 0 },
  ];
  expect(pickCaption(list, 0, "test")).toBe("a");
  expect(pickCaption(list, 0.7499, "test")).toBe("a");
  expect(pickCaption(list, 0.75, "test")).toBe("b");
  expect(pickCaption(list, 1 - 2 ** -32, "test")).toBe("b");
  // Weights that add up to a little less than 1.
  expect(pickCaption([{ text: "only", weight: 0.999 }], 0.9999, "test")).toBe("only");
  expect(() => pickCaption([], 0.5, "test")).toThrow(DataFormatError);
});
