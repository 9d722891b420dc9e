/** @file A recipe repeats its picture bit for bit, or says by name what is missing or different. */
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ConfigError, InputError } from "../errors.ts";
import { nodeZlib } from "../files/zlib.ts";
import { encodePng } from "../image/encode-png.ts";
import type { RgbImage } from "../image/pixels.ts";
import { open } from "../node/open-model.ts";
import type { DrawOptions } from "./draw-options.ts";
import type { Model } from "./model.ts";
import type { Picture } from "./picture.ts";
import { parseRecipe, type Recipe } from "./recipe.ts";
import type { AgainOptions } from "./repeat-plan.ts";
import { testModelPath } from "./test-models.ts";

const FAST = { steps: 3, cfg: 2, negative: "bad", size: { width: 48, height: 32 } } satisfies DrawOptions;

let scratch: string;
let model: Model;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "nextstep-again-"));
  model = await open(testModelPath("v1.1"), { threads: 1 });
});
afterAll(async () => {
  await model.close();
  await rm(scratch, { recursive: true, force: true });
});

function testImage(width: number, height: number, phase: number): RgbImage {
  const data = Uint8Array.from({ length: 3 * width * height }, (_, i) => (i * 5 + phase) % 256);
  return { width, height, data };
}

/** As it comes out of a picture's file. */
function stored({ recipe }: Picture): Recipe {
  return parseRecipe(JSON.stringify(recipe), "recipe");
}

async function again(picture: Picture, options: AgainOptions = {}): Promise<Picture> {
  const [repeated] = await model.again(stored(picture), options).pictures();
  expect(repeated?.tokens).toEqual(picture.tokens);
  expect(repeated?.pixels).toEqual(picture.pixels);
  expect(repeated?.notes).toEqual([]);
  return repeated as Picture;
}

describe("editing", () => {
  it("repeats a picture of several images, each of its own shape", async () => {
    const files = await Promise.all(
      [testImage(96, 32, 0), testImage(30, 90, 7)].map((image) => encodePng(image, nodeZlib)),
    );
    const { size: _, ...options } = { ...FAST, seed: 4, cfgImg: 1.5, images: files };
    const [picture] = await model.draw("put <image> on <image>", options);
    const [wide, tall] = picture?.recipe.images ?? [];
    expect(wide?.width).toBeGreaterThan(wide?.height ?? 0);
    expect(tall?.height).toBeGreaterThan(tall?.width ?? 0);
    await again(picture as Picture, { images: files });
    await expect(
      model.again(stored(picture as Picture), { images: files.toReversed() }).pictures(),
    ).rejects.toThrow(/recipe: image 1 is not the one it was drawn from/);
  });

  it("repeats one of several prompts with its own images, as it would be drawn alone", async () => {
    const images = [testImage(48, 32, 0), testImage(32, 32, 7), testImage(48, 16, 9)];
    const prompts = ["<image>turn it", "rain", "put <image> on <image>"];
    const pictures = await model.draw(prompts, { ...FAST, seed: 4, cfgImg: 1.5, images });
    expect(pictures.map(({ recipe }) => recipe.images?.length ?? 0)).toEqual([1, 0, 2]);
    await again(pictures[0] as Picture, { images: images.slice(0, 1) });
    await again(pictures[1] as Picture);
    await again(pictures[2] as Picture, { images: images.slice(1) });
    const [alone] = await model.draw("rain", { ...FAST, seed: 4 });
    expect(alone?.pixels).toEqual(pictures[1]?.pixels);
    expect(alone?.recipe).toEqual(pictures[1]?.recipe);
    await expect(model.again(stored(pictures[2] as Picture)).pictures()).rejects.toThrow(
      /needs its 2 input images/,
    );
    await expect(
      model.again(stored(pictures[1] as Picture), { images: images.slice(1) }).pictures(),
    ).rejects.toThrow(/was drawn without input images/);
  });
});

describe("kept tokens", () => {
  it("are in the recipe, whichever cells they are of", async () => {
    const [whole] = await model.draw("a boat", { ...FAST, seed: 3 });
    const mask = Uint8Array.of(0, 1, 1, 0, 0, 1);
    const keep = { data: (whole as Picture).tokens, shape: [1, 6, 64], mask };
    const [picture] = await model.draw("rain", { ...FAST, seed: 5, keep });
    expect(picture?.recipe.kept?.cells).toEqual([
      [1, 3],
      [5, 6],
    ]);
    const repeated = await again(picture as Picture);
    expect(repeated.recipe).toEqual(picture?.recipe);
    await again(picture as Picture, { keep });
    const [plain] = await model.draw("rain", { ...FAST, seed: 5 });
    expect(plain?.tokens).not.toEqual(picture?.tokens);
    const other = { ...keep, data: keep.data.map((value) => value + 1) };
    for (const wrong of [other, { ...keep, mask: Uint8Array.of(0, 1, 0, 0, 0, 1) }]) {
      await expect(model.again(stored(picture as Picture), { keep: wrong }).pictures()).rejects.toThrow(
        InputError,
      );
    }
    await expect(model.again(stored(plain as Picture), { keep }).pictures()).rejects.toThrow(
      /without kept tokens/,
    );
  });

  it("of a drawing that was taken up again are in the recipe", async () => {
    const [whole] = await model.draw("a boat", { ...FAST, seed: 3 });
    const keep = { data: (whole as Picture).tokens.slice(0, 2 * 64), shape: [1, 2, 64] };
    const [resumed] = await model.draw("a boat", { ...FAST, seed: 3, keep });
    expect(resumed?.tokens).toEqual(whole?.tokens);
    await again(resumed as Picture);
  });

  it("that are too many are named by their digest and must be given", async () => {
    const size = { width: 16 * 17, height: 16 * 16 };
    const data = Float32Array.from({ length: 271 * 64 }, (_, i) => Math.sin(i));
    const keep = { data, shape: [1, 271, 64] };
    const [picture] = await model.draw("rain", { ...FAST, size, seed: 1, keep });
    expect(picture?.recipe.kept).toEqual({
      cells: [[0, 271]],
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    await expect(model.again(stored(picture as Picture)).pictures()).rejects.toThrow(
      /recipe: was drawn around 271 kept tokens, .* \(give the same tokens/,
    );
    await again(picture as Picture, { keep });
  });

  it.each<[string, Partial<NonNullable<Recipe["kept"]>>]>([
    ["cells that the picture does not have", { cells: [[0, 7]] }],
    ["more cells than tokens", { cells: [[0, 3]] }],
    ["tokens that were changed", { tokens: "AAAA".repeat(128).concat("AAAA") }],
  ])("in a recipe are refused: %s", async (_, change) => {
    const [whole] = await model.draw("a boat", { ...FAST, seed: 3 });
    const keep = { data: (whole as Picture).tokens.slice(0, 2 * 64), shape: [1, 2, 64] };
    const [picture] = await model.draw("a boat", { ...FAST, seed: 3, keep });
    const recipe = stored(picture as Picture);
    const changed = { ...recipe, kept: { ...recipe.kept, ...change } } as Recipe;
    await expect(model.again(changed).pictures()).rejects.toThrow(/recipe/);
  });
});

describe("another model", () => {
  it("is told apart by what it holds, not by its folder's name", async () => {
    const [picture] = await model.draw("rain", { ...FAST, seed: 2 });
    const recipe = stored(picture as Picture);
    const renamed = join(scratch, "renamed");
    await cp(testModelPath("v1.1"), renamed, { recursive: true });
    await using same = await open(renamed, { threads: 1 });
    const [repeated] = await same.again(recipe).pictures();
    expect(repeated?.notes).toEqual([]);
    expect(repeated?.pixels).toEqual(picture?.pixels);

    // The same layout and name, other numbers.
    const changed = join(scratch, "changed", "v1.1");
    await cp(testModelPath("v1.1"), changed, { recursive: true });
    const weights = join(changed, "model-00002-of-00002.safetensors");
    const bytes = await readFile(weights);
    bytes.fill(0x11, bytes.length - 10);
    await writeFile(weights, bytes);
    await using differing = await open(changed, { threads: 1 });
    const notes = await differing.again(recipe).notes();
    expect(notes).toMatchObject([
      [{ kind: "model", text: expect.stringMatching(/another model that was called/) }],
    ]);
    await using other = await open(testModelPath("v1"), { threads: 1 });
    expect(await other.again(recipe).notes()).toMatchObject([
      [{ kind: "model", text: expect.stringMatching(/of the model "v1\.1"/) }],
    ]);
  });

  it("goes by the name where an old recipe holds nothing else", async () => {
    const [picture] = await model.draw("rain", { ...FAST, seed: 2 });
    const { modelDigest: _, threads: __, ...rest } = stored(picture as Picture);
    const old: Recipe = { ...rest, version: 1 };
    const [repeated] = await model.again(old).pictures();
    expect(repeated?.notes).toEqual([]);
    expect(repeated?.pixels).toEqual(picture?.pixels);
    const notes = await model.again({ ...old, model: "other" }).notes();
    expect(notes).toMatchObject([[{ kind: "model" }]]);
  });
});

it("says that another number of threads may round otherwise", async () => {
  const [picture] = await model.draw("rain", { ...FAST, seed: 2 });
  expect(picture?.recipe.threads).toBe(1);
  const notes = await model.again({ ...stored(picture as Picture), threads: 4 }).notes();
  expect(notes).toMatchObject([[{ kind: "threads", text: expect.stringMatching(/4 threads .* with 1/) }]]);
});

it("takes nothing that would change the picture", async () => {
  const [picture] = await model.draw("rain", { ...FAST, seed: 2 });
  const options = { seed: 3 } as AgainOptions;
  await expect(model.again(stored(picture as Picture), options).pictures()).rejects.toThrow(ConfigError);
});
