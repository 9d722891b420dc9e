import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { decodeExif } from "../../formats/exif.ts";
import { pictureTexts } from "../../generate/picture.ts";
import { RECIPE_VERSION, type Recipe } from "../../generate/recipe.ts";
import { PLAIN_SETTINGS } from "../../generate/settings.ts";
import { pictureFile } from "../draw/picture-file.ts";
import { recipeIn } from "./picture-recipe.ts";

const PROMPTS = ["a ship", "雨の日、赤い傘の猫", 'a cat 🐈‍⬛ under an ☂️, "quoted"\nin two lines'] as const;
const size = { width: 32, height: 16 };
const image = { ...size, data: new Uint8Array(3 * 32 * 16).fill(90) };

function recipeOf(prompt: string): Recipe {
  return { version: RECIPE_VERSION, model: "test", prompt, seed: 7, ...size, settings: PLAIN_SETTINGS };
}

describe.each(["png", "jpeg", "webp"] as const)("a %s file", (format) => {
  it.each(PROMPTS)("gives its recipe back, and its parameters to galleries: %s", async (prompt) => {
    const texts = pictureTexts(recipeOf(prompt));
    const file = await pictureFile(image, { format, quality: 80 }, texts);
    expect(await recipeIn(file)).toEqual(recipeOf(prompt));
    if (format === "png") return;
    const { exif } = await sharp(file).metadata();
    expect(decodeExif(exif as Uint8Array).comment).toBe(texts.parameters);
    expect(texts.parameters).toContain(prompt);
  });

  it("stays one that can be read, however long the prompt is", async () => {
    const texts = pictureTexts(recipeOf("猫".repeat(32_000)));
    const file = await pictureFile(image, { format, quality: 80 }, texts);
    const { width, exif } = await sharp(file, { failOn: "warning" }).metadata();
    expect(width).toBe(32);
    if (format === "png") expect((await recipeIn(file))?.prompt).toHaveLength(32_000);
    else expect(decodeExif(exif as Uint8Array).comment).toMatch(/^猫{30000}$/);
  });
});

it("is none in what other programs wrote", async () => {
  const file = await sharp({ create: { ...size, channels: 3, background: "#123" } })
    .jpeg()
    .withExif({ IFD0: { ImageDescription: "a photo" } })
    .toBuffer();
  expect(await recipeIn(file)).toBeNull();
  expect(await recipeIn(new Uint8Array([0xff, 0xd8, 0xff, 0xe1]))).toBeNull();
});
