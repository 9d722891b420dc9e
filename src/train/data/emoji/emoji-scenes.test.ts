/** @file Where icons land on the canvas, checked on squares of one colour. */
import { describe, expect, it } from "vitest";
import { InputError } from "../../../errors.ts";
import { decodeImage } from "../../../files/decode-image.ts";
import { EmojiRenderer } from "./emoji-render.ts";
import { BACKGROUNDS, drawScene, type Scene } from "./emoji-scenes.ts";
import { square } from "./test-subjects.ts";

const dog = square("dog", "#ff0000");
const cat = square("cat", "#0000ff");

/** Bounds of all pixels of a colour: [left, top, right, bottom], inclusive. */
async function boundsOf(scene: Scene, colour: readonly [number, number, number]): Promise<number[]> {
  const image = await decodeImage(await drawScene(scene, new EmojiRenderer()), "scene");
  expect([image.width, image.height]).toEqual([256, 256]);
  const xs: number[] = [];
  const ys: number[] = [];
  for (let i = 0; i < 256 * 256; i++) {
    if (colour.every((value, c) => image.data[i * 3 + c] === value)) {
      xs.push(i % 256);
      ys.push(Math.floor(i / 256));
    }
  }
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}

describe("drawScene", () => {
  it("draws a single subject 224 px wide at (16, 16)", async () => {
    const scene: Scene = { layout: "single", style: "3D", background: "white", first: dog };
    expect(await boundsOf(scene, [255, 0, 0])).toEqual([16, 16, 239, 239]);
  });

  it("draws sizes in the middle and places at the sides", async () => {
    const scene: Scene = { layout: "small", style: "flat", background: "white", first: dog };
    expect(await boundsOf(scene, [255, 0, 0])).toEqual([72, 72, 183, 183]);
    expect(await boundsOf({ ...scene, layout: "large" }, [255, 0, 0])).toEqual([0, 0, 255, 255]);
    expect(await boundsOf({ ...scene, layout: "right" }, [255, 0, 0])).toEqual([136, 72, 247, 183]);
  });

  it("draws in the middle square of a canvas that is none", async () => {
    const scene: Scene = { layout: "single", style: "3D", background: "blue", first: dog, size: [192, 336] };
    const image = await decodeImage(await drawScene(scene, new EmojiRenderer()), "scene");
    expect([image.height, image.width]).toEqual([192, 336]);
    const red = Array.from({ length: 192 * 336 }, (_, i) => i).filter((i) => image.data[3 * i] === 255);
    const xs = red.map((i) => i % 336);
    expect([Math.min(...xs), Math.max(...xs)]).toEqual([84, 251]);
    expect(red.length).toBe(168 * 168);
  });

  it("mirrors", async () => {
    const pair: Scene = { layout: "beside", style: "flat", background: "white", first: dog, second: cat };
    const mirrored = await decodeImage(await drawScene(pair, new EmojiRenderer(), true), "scene");
    const swapped = await decodeImage(
      await drawScene({ ...pair, first: cat, second: dog }, new EmojiRenderer()),
      "scene",
    );
    expect(Buffer.from(mirrored.data).equals(Buffer.from(swapped.data))).toBe(true);
  });

  it("draws pairs as 112 px icons in 128 px cells", async () => {
    const beside: Scene = { layout: "beside", style: "flat", background: "white", first: dog, second: cat };
    expect(await boundsOf(beside, [255, 0, 0])).toEqual([8, 72, 119, 183]);
    expect(await boundsOf(beside, [0, 0, 255])).toEqual([136, 72, 247, 183]);
    const above: Scene = { ...beside, layout: "above" };
    expect(await boundsOf(above, [255, 0, 0])).toEqual([72, 8, 183, 119]);
    expect(await boundsOf(above, [0, 0, 255])).toEqual([72, 136, 183, 247]);
  });

  it("draws groups in reading order, two above one or two", async () => {
    const others = [square("grass", "#00ff00"), square("ink", "#000000")];
    const scene: Scene = { layout: "quartet", style: "3D", background: "white", first: dog, second: cat };
    const quartet: Scene = { ...scene, others };
    expect(await boundsOf(quartet, [255, 0, 0])).toEqual([8, 8, 119, 119]);
    expect(await boundsOf(quartet, [0, 0, 255])).toEqual([136, 8, 247, 119]);
    expect(await boundsOf(quartet, [0, 255, 0])).toEqual([8, 136, 119, 247]);
    expect(await boundsOf(quartet, [0, 0, 0])).toEqual([136, 136, 247, 247]);
    const trio: Scene = { ...scene, layout: "trio", others: others.slice(0, 1) };
    expect(await boundsOf(trio, [0, 255, 0])).toEqual([72, 136, 183, 247]);
    await expect(drawScene(scene, new EmojiRenderer())).rejects.toThrow(
      /2 subjects for the layout "quartet"/,
    );
  });

  it("draws as many as counted, on the colour asked for", async () => {
    for (const [layout, count] of [
      ["two", 2],
      ["three", 3],
      ["four", 4],
    ] as const) {
      const scene: Scene = { layout, style: "3D", background: "green", first: dog };
      const image = await decodeImage(await drawScene(scene, new EmojiRenderer()), "scene");
      let red = 0;
      let background = 0;
      for (let i = 0; i < 256 * 256; i++) {
        const pixel = [...image.data.subarray(i * 3, i * 3 + 3)];
        if (pixel.join() === "255,0,0") red++;
        if (pixel.join() === BACKGROUNDS.green.join()) background++;
      }
      expect(red).toBe(count * 112 * 112);
      expect(red + background).toBe(256 * 256);
    }
  });

  it("lays half-transparent pixels over the background", async () => {
    const veil = square("veil", "rgba(0,0,0,0.5)");
    const scene: Scene = { layout: "single", style: "3D", background: "white", first: veil };
    const image = await decodeImage(await drawScene(scene, new EmojiRenderer()), "scene");
    expect(image.data[(128 * 256 + 128) * 3]).toBeGreaterThanOrEqual(126);
    expect(image.data[(128 * 256 + 128) * 3]).toBeLessThanOrEqual(128);
  });

  it("refuses a style that a subject lacks, and an icon that shows nothing", async () => {
    const scene: Scene = { layout: "single", style: "blob", background: "white", first: dog };
    await expect(drawScene(scene, new EmojiRenderer())).rejects.toThrow(InputError);
    const empty = square("nothing", "none");
    await expect(drawScene({ ...scene, style: "3D", first: empty }, new EmojiRenderer())).rejects.toThrow(
      /empty/,
    );
  });
});
