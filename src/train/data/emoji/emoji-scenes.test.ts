/** @file Where icons land on the canvas, checked on squares of one colour, and what the pictures are called. */
import { describe, expect, it } from "vitest";
import { InputError } from "../../../errors.ts";
import { decodeImage } from "../../../files/decode-image.ts";
import { EmojiRenderer } from "./emoji-render.ts";
import { BACKGROUNDS, captionScene, drawScene, type Scene } from "./emoji-scenes.ts";
import type { EmojiStyle } from "./emoji-sets.ts";
import type { EmojiSubject } from "./emoji-subjects.ts";

function square(id: string, colour: string, words: Partial<EmojiSubject> = {}): EmojiSubject {
  const body = `<rect width="10" height="10" fill="${colour}"/>`;
  const styles: EmojiStyle[] = ["noto", "flat"];
  return {
    id,
    name: id,
    withArticle: `a ${id}`,
    plural: `${id}s`,
    synonym: undefined,
    category: "objects",
    icons: new Map(styles.map((style) => [style, { slug: id, body, viewBox: [0, 0, 10, 10] }])),
    ...words,
  };
}
const dog = square("dog", "#ff0000");
const cat = square("cat", "#0000ff");

/** Bounds of all pixels of a colour: [left, top, right, bottom], inclusive. */
async function boundsOf(scene: Scene, colour: readonly [number, number, number]): Promise<number[]> {
  const image = await decodeImage(await drawScene(scene, new EmojiRenderer()), "scene");
  expect([image.width, image.height]).toEqual([128, 128]);
  const xs: number[] = [];
  const ys: number[] = [];
  for (let i = 0; i < 128 * 128; i++) {
    if (colour.every((value, c) => image.data[i * 3 + c] === value)) {
      xs.push(i % 128);
      ys.push(Math.floor(i / 128));
    }
  }
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

describe("drawScene", () => {
  it("draws a single subject 112 px wide at (8, 8)", async () => {
    const scene: Scene = { layout: "single", style: "noto", background: "white", first: dog };
    expect(await boundsOf(scene, [255, 0, 0])).toEqual([8, 8, 119, 119]);
  });

  it("draws pairs as 56 px icons in 64 px cells", async () => {
    const beside: Scene = { layout: "beside", style: "flat", background: "white", first: dog, second: cat };
    expect(await boundsOf(beside, [255, 0, 0])).toEqual([4, 36, 59, 91]);
    expect(await boundsOf(beside, [0, 0, 255])).toEqual([68, 36, 123, 91]);
    const above: Scene = { ...beside, layout: "above" };
    expect(await boundsOf(above, [255, 0, 0])).toEqual([36, 4, 91, 59]);
    expect(await boundsOf(above, [0, 0, 255])).toEqual([36, 68, 91, 123]);
  });

  it("draws as many as counted, on the colour asked for", async () => {
    for (const [layout, count] of [
      ["two", 2],
      ["three", 3],
      ["four", 4],
    ] as const) {
      const scene: Scene = { layout, style: "noto", background: "green", first: dog };
      const image = await decodeImage(await drawScene(scene, new EmojiRenderer()), "scene");
      let red = 0;
      let background = 0;
      for (let i = 0; i < 128 * 128; i++) {
        const pixel = [...image.data.subarray(i * 3, i * 3 + 3)];
        if (pixel.join() === "255,0,0") red++;
        if (pixel.join() === BACKGROUNDS.green.join()) background++;
      }
      expect(red).toBe(count * 56 * 56);
      expect(red + background).toBe(128 * 128);
    }
  });

  it("lays half-transparent pixels over the background", async () => {
    const veil = square("veil", "rgba(0,0,0,0.5)");
    const scene: Scene = { layout: "single", style: "noto", background: "white", first: veil };
    const image = await decodeImage(await drawScene(scene, new EmojiRenderer()), "scene");
    expect(image.data[(64 * 128 + 64) * 3]).toBeGreaterThanOrEqual(126);
    expect(image.data[(64 * 128 + 64) * 3]).toBeLessThanOrEqual(128);
  });

  it("refuses a style that a subject lacks, and an icon that shows nothing", async () => {
    const scene: Scene = { layout: "single", style: "blob", background: "white", first: dog };
    await expect(drawScene(scene, new EmojiRenderer())).rejects.toThrow(InputError);
    const empty = square("nothing", "none");
    await expect(drawScene({ ...scene, style: "noto", first: empty }, new EmojiRenderer())).rejects.toThrow(
      /empty/,
    );
  });
});

describe("captionScene", () => {
  const textsOf = (scene: Scene): string[] => captionScene(scene).map((caption) => caption.text);

  it("names the default style rarely and every other style always", () => {
    const noto = captionScene({ layout: "single", style: "noto", background: "white", first: dog });
    const total = noto.reduce((sum, caption) => sum + caption.weight, 0);
    const named = noto.filter((caption) => caption.text.endsWith(", noto style"));
    expect(total).toBeCloseTo(1, 4);
    expect(named.reduce((sum, caption) => sum + caption.weight, 0)).toBeCloseTo(0.15, 4);
    expect(noto.map((caption) => caption.text)).toEqual(
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
    const texts = textsOf({ layout: "single", style: "noto", background: "orange", first: dog });
    expect(texts).toContain("a dog on an orange background");
    expect(texts.every((text) => text.includes(" on an orange background"))).toBe(true);
  });

  it("counts and tells where things are", () => {
    const pair: Scene = { layout: "beside", style: "noto", background: "white", first: dog, second: cat };
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
    expect(textsOf({ layout: "three", style: "noto", background: "white", first: dog })).toContain(
      "three dogs",
    );
  });

  it("writes proper nouns in lower case half of the time, and synonyms too", () => {
    const santa = square("Santa Claus", "red", {
      withArticle: "Santa Claus",
      plural: undefined,
      synonym: "Santa",
    });
    const captions = captionScene({ layout: "single", style: "noto", background: "white", first: santa });
    const weightOf = (text: string): number => captions.find((caption) => caption.text === text)?.weight ?? 0;
    expect(weightOf("Santa Claus")).toBeGreaterThan(0);
    expect(weightOf("Santa Claus")).toBeCloseTo(weightOf("santa claus"), 6);
    expect(weightOf("Santa")).toBeGreaterThan(0);
    expect(new Set(captions.map((caption) => caption.text)).size).toBe(captions.length);
  });
});
