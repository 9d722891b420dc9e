import { describe, expect, it } from "vitest";
import { testEntry } from "../test-jobs.ts";
import {
  type Fields,
  fieldsOfEntry,
  fieldsOfRecipe,
  fullPrompt,
  isOfOthers,
  isSizeText,
  newSeed,
  orderOf,
} from "./draw-order.ts";

const FIELDS: Fields = {
  prompt: "a dog",
  style: "",
  size: "128x128",
  count: 2,
  seed: 5,
  settings: { steps: 8 },
  adapters: [],
};
const MODEL = { defaults: { cfg: 2.5, steps: 20, cfg_img: 1 }, adapters: ["mug"] };

describe("orderOf", () => {
  const common = { prompt: "a dog", n: 2, seed: 5, previews: "rows", steps: 8 };
  const source = { picture: testEntry() };

  it("asks for what stands in the fields", () => {
    expect(orderOf(FIELDS, { kind: "draw" }, 5)).toEqual({ ...common, task: "generation", size: "128x128" });
  });

  it("names the adapters that are chosen", () => {
    const adapters = [{ name: "mug", scale: 0.5 }];
    expect(orderOf({ ...FIELDS, adapters }, { kind: "draw" }, 5)).toMatchObject({ adapters });
  });

  it("names the picture that is brushed, extended or edited, in its own size", () => {
    const image = { images: [{ picture: "one" }], size: "128x128", task: "edit" };
    expect(orderOf(FIELDS, { kind: "brush", source, mask: "m" }, 5)).toEqual({
      ...common,
      ...image,
      mask: "m",
      mask_opens: "white",
    });
    expect(orderOf(FIELDS, { kind: "edit", source }, 5)).toEqual({ ...common, ...image });
    const margins = { top: 0, right: 2, bottom: 0, left: 1 };
    const grid = { columns: 8, rows: 8 };
    expect(orderOf(FIELDS, { kind: "extend", source, grid, margins, tokenSide: 16 }, 5)).toEqual({
      ...common,
      ...image,
      size: "176x128",
      place: { left: 16, top: 0 },
    });
    const upload = { upload: { blob: "b", width: 64, height: 32, recipe: null } };
    expect(orderOf(FIELDS, { kind: "edit", source: upload }, 5)).toMatchObject({
      images: ["b"],
      size: "64x32",
    });
  });

  it("keeps the first rows of a picture that is rewound", () => {
    expect(orderOf(FIELDS, { kind: "rewind", picture: testEntry(), rows: 3 }, 5)).toEqual({
      ...common,
      task: "variation",
      size: "128x128",
      from: { picture: "one", rows: 3 },
    });
  });

  it("names the picture that is repeated, and leaves all else to the server", () => {
    expect(orderOf(FIELDS, { kind: "repeat", picture: testEntry() }, 8)).toEqual({
      seed: 8,
      previews: "rows",
      repeat: { picture: "one" },
    });
  });
});

describe("fields", () => {
  it("are taken from a recipe, with the settings that differ from the model's own, by their names in requests", () => {
    const { recipe } = testEntry();
    const settings = { ...recipe.settings, cfgImg: 3, rowLag: null };
    expect(fieldsOfRecipe({ ...recipe, settings }, MODEL)).toEqual({
      prompt: "a dog",
      style: "",
      size: "128x128",
      count: 1,
      seed: 7,
      settings: { steps: 16, cfg_img: 3 },
      adapters: [],
    });
    const adapters = [
      { name: "mug", scale: 0.5 },
      { name: "gone", scale: 1 },
    ];
    expect(fieldsOfRecipe({ ...recipe, adapters }, MODEL).adapters).toEqual([{ name: "mug", scale: 0.5 }]);
  });

  it("alone do not repeat what was drawn from other pictures", () => {
    const { recipe } = testEntry();
    expect(isOfOthers(recipe)).toBe(false);
    expect(isOfOthers({ ...recipe, images: [{}] })).toBe(true);
    expect(isOfOthers({ ...recipe, kept: { cells: [[0, 8]] } })).toBe(true);
  });

  it("of a picture that was resampled ask for the same size again", () => {
    expect(fieldsOfEntry(testEntry({ width: 512, height: 512 }), MODEL).size).toBe("512x512");
  });

  it("join prompt and style in one line", () => {
    expect(fullPrompt({ prompt: " a dog,\n ", style: "" })).toBe("a dog,");
    expect(fullPrompt({ prompt: "a dog, ", style: " , flat  style " })).toBe("a dog, flat style");
  });

  it("take sizes that are some", () => {
    expect(["128x64", "0x5", "128", "9999999x1"].map(isSizeText)).toEqual([true, false, false, false]);
  });

  it("get seeds that can be read out", () => {
    expect([newSeed(() => 0), newSeed(() => 0.9999999)]).toEqual([0, 999_999]);
  });
});
