/** @file The gallery's prompts are of the data, and its edits are of its drawings. */
import { expect, it } from "vitest";
import type { DrawOptions } from "../generate/draw-options.ts";
import type { Model } from "../generate/model.ts";
import type { Picture } from "../generate/picture.ts";
import { EMOJI_NAMES, EMOJI_RANKING } from "../train/data/emoji/emoji-subjects.ts";
import { drawGallery, GALLERY_PROMPTS } from "./gallery.ts";
import { painted } from "./test-pictures.ts";

it("shows the best known subjects, in the order of the ranking", () => {
  const names = EMOJI_RANKING.slice(0, 24).map((slug) => {
    const known = Object.hasOwn(EMOJI_NAMES, slug) ? EMOJI_NAMES[slug]?.name : undefined;
    return known ?? slug.replaceAll("-", " ");
  });
  expect(GALLERY_PROMPTS.subjects.map((prompt) => prompt.replace(/^an? /, ""))).toEqual(names);
});

it("edits what it has drawn, all with one seed", async () => {
  const calls: { prompts: readonly string[]; options: DrawOptions }[] = [];
  const model: Pick<Model, "draw"> = {
    draw: async (prompts, options = {}) => {
      const list = typeof prompts === "string" ? [prompts] : prompts;
      calls.push({ prompts: list, options });
      const level = 10 * calls.length;
      return list.map(() => ({ pixels: painted(16, () => [level, level, level]) }) as Picture);
    },
  };
  const { pictures, edits } = await drawGallery(model);
  expect([pictures.width, pictures.height]).toEqual([8 * 18 - 2, 4 * 18 - 2]);
  expect([edits.width, edits.height]).toEqual([8 * 18 - 2, 2 * 18 - 2]);
  expect(calls.map(({ options }) => options.seed)).toEqual(Array(6).fill(GALLERY_PROMPTS.seed));
  const last = calls.at(-1)!;
  expect(last.prompts[0]).toBe("<image>make the background blue");
  expect(last.options.images).toHaveLength(8);
  // What is edited is the row above it.
  expect(edits.data[0]).toBe(50);
  expect(edits.data.at(-1)).toBe(60);
});
