/** @file What pictures are called. */
import { describe, expect, it } from "vitest";
import { captionScene, definite, sized } from "./emoji-captions.ts";
import type { Scene } from "./emoji-scenes.ts";
import { square } from "./test-subjects.ts";

const dog = square("dog", "#ff0000");
const cat = square("cat", "#0000ff");

describe("sized, definite", () => {
  it("follow the grammar of the noun", () => {
    const grapes = square("grapes", "red", { kind: "plural", withArticle: "grapes" });
    const santa = square("Santa Claus", "red", { kind: "name", withArticle: "Santa Claus" });
    expect([sized(dog, "small"), sized(grapes, "small"), sized(santa, "big")]).toEqual([
      "a small dog",
      "small grapes",
      "a big Santa Claus",
    ]);
    expect([definite(dog), definite(grapes), definite(santa)]).toEqual([
      "the dog",
      "the grapes",
      "Santa Claus",
    ]);
  });
});

describe("captionScene", () => {
  const textsOf = (scene: Scene): string[] => captionScene(scene).map((caption) => caption.text);

  it("names the default style rarely and every other style always", () => {
    const captions3d = captionScene({ layout: "single", style: "3D", background: "white", first: dog });
    const total = captions3d.reduce((sum, caption) => sum + caption.weight, 0);
    const named = captions3d.filter((caption) => caption.text.endsWith(", 3D style"));
    expect(total).toBeCloseTo(1, 4);
    // The other half of them is written in lower case.
    expect(named.reduce((sum, caption) => sum + caption.weight, 0)).toBeCloseTo(0.075, 4);
    expect(captions3d.map((caption) => caption.text)).toEqual(
      expect.arrayContaining([
        "a dog",
        "dog",
        "a picture of a dog",
        "dog emoji",
        "a dog on a white background",
      ]),
    );
    const flat = textsOf({ layout: "single", style: "flat", background: "white", first: dog });
    expect(flat.every((text) => text.endsWith(", flat style"))).toBe(true);
  });

  it("always names a colour, with the right article", () => {
    const texts = textsOf({ layout: "single", style: "3D", background: "orange", first: dog });
    expect(texts).toContain("a dog on an orange background");
    expect(texts.every((text) => text.includes("orange background"))).toBe(true);
  });

  it("lists the things of a group in reading order", () => {
    const [sun, tree] = [square("sun", "yellow"), square("tree", "green")];
    const shared = { style: "3D", background: "white", first: dog, second: cat } as const;
    const trio = textsOf({ ...shared, layout: "trio", others: [sun] });
    expect(trio).toEqual(
      expect.arrayContaining([
        "a dog, a cat and a sun",
        "a dog and a cat above a sun",
        "a dog at the top left, a cat at the top right and a sun at the bottom",
      ]),
    );
    const quartet = textsOf({ ...shared, layout: "quartet", others: [sun, tree] });
    expect(quartet).toEqual(
      expect.arrayContaining([
        "a dog, a cat, a sun and a tree",
        "a dog and a cat above a sun and a tree",
        "a dog at the top left, a cat at the top right, a sun at the bottom left and a tree at the bottom right",
      ]),
    );
  });

  it("counts and tells where things are", () => {
    const pair: Scene = { layout: "beside", style: "3D", background: "white", first: dog, second: cat };
    expect(textsOf(pair)).toEqual(
      expect.arrayContaining([
        "a dog and a cat",
        "a dog to the left of a cat",
        "a cat to the right of a dog",
      ]),
    );
    expect(textsOf(pair)).not.toContain("a cat and a dog");
    expect(textsOf({ ...pair, layout: "above" })).toEqual(
      expect.arrayContaining(["a dog above a cat", "a cat below a dog"]),
    );
    expect(textsOf({ layout: "three", style: "3D", background: "white", first: dog })).toContain(
      "three dogs",
    );
  });

  it("tells sizes and places", () => {
    const scene: Scene = { layout: "small", style: "3D", background: "white", first: dog };
    expect(textsOf(scene)).toEqual(expect.arrayContaining(["a small dog", "a tiny dog"]));
    expect(textsOf({ ...scene, layout: "left" })).toContain("a dog on the left");
  });

  it("gives a synonym an article only where it is a thing of its own", () => {
    const car = square("car", "red", { synonyms: ["automobile"] });
    const bread = square("loaf of bread", "red", { synonyms: ["bread"] });
    const scene: Scene = { layout: "single", style: "3D", background: "white", first: car };
    expect(textsOf(scene)).toEqual(expect.arrayContaining(["automobile", "an automobile"]));
    expect(textsOf({ ...scene, first: bread })).toContain("bread");
    expect(textsOf({ ...scene, first: bread })).not.toContain("a bread");
  });

  it("writes proper nouns in lower case half of the time, and synonyms too", () => {
    const santa = square("Santa Claus", "red", {
      withArticle: "Santa Claus",
      plural: undefined,
      synonyms: ["Santa"],
      kind: "name",
    });
    const captions = captionScene({ layout: "single", style: "3D", background: "white", first: santa });
    const weightOf = (text: string): number => captions.find((caption) => caption.text === text)?.weight ?? 0;
    expect(weightOf("Santa Claus")).toBeGreaterThan(0);
    expect(weightOf("Santa Claus")).toBeCloseTo(weightOf("santa claus"), 6);
    expect(weightOf("Santa")).toBeGreaterThan(0);
    expect(new Set(captions.map((caption) => caption.text)).size).toBe(captions.length);
  });
});
