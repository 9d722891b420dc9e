import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AbortedError, ConfigError, InputError, NextStepError } from "../errors.ts";
import { decodeImage } from "../files/decode-image.ts";
import { nodeZlib } from "../files/zlib.ts";
import { readPngTexts } from "../formats/png-text.ts";
import { readDigitalSourceType } from "../formats/xmp.ts";
import type { RgbImage } from "../image/pixels.ts";
import { open } from "../node/open-model.ts";
import type { DrawOptions } from "./draw-options.ts";
import type { Model } from "./model.ts";
import type { LoadProgress } from "./open-options.ts";
import type { Picture } from "./picture.ts";
import { parseRecipe } from "./recipe.ts";
import { testModelPath } from "./test-models.ts";

const FAST = { steps: 3, cfg: 2, negative: "bad", size: { width: 48, height: 32 } } satisfies DrawOptions;

function testImage(width: number, height: number, phase = 0): RgbImage {
  return {
    width,
    height,
    data: Uint8Array.from({ length: 3 * width * height }, (_, i) => (i * 5 + phase) % 256),
  };
}

async function one(pictures: Promise<readonly Picture[]>): Promise<Picture> {
  const [picture, ...others] = await pictures;
  if (picture === undefined || others.length > 0) throw new Error("not one picture");
  return picture;
}

/** Differences of tokens that come from another picture, and not from other rounding. */
const VISIBLE = 0.01;

/** Largest difference of two pictures' tokens. */
function distance(a: Picture, b: Picture): number {
  expect(a.tokens.length).toBe(b.tokens.length);
  return a.tokens.reduce((most, value, index) => Math.max(most, Math.abs(value - b.tokens[index]!)), 0);
}

let scratch: string;
let model: Model;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "nextstep-model-"));
  model = await open(testModelPath("v1.1"), { threads: 1 });
});
afterAll(async () => {
  await model[Symbol.asyncDispose]();
  await rm(scratch, { recursive: true, force: true });
});

describe("drawing", () => {
  it("draws pictures of prompts and seeds, each the same alone", async () => {
    const pictures = await model.draw(["a boat", "rain"], { ...FAST, seed: 5, count: 2 });
    expect(pictures.map(({ prompt, seed }) => [prompt, seed])).toEqual([
      ["a boat", 5],
      ["a boat", 6],
      ["rain", 5],
      ["rain", 6],
    ]);
    const alone = await one(model.draw("rain", { ...FAST, seed: 6 }));
    expect(alone.tokens).toEqual(pictures[3]?.tokens);
    expect(alone.pixels).toEqual(pictures[3]?.pixels);
    expect(alone.planes).toEqual(pictures[3]?.planes);
    expect(alone.pixels).toMatchObject({ width: 48, height: 32 });
    expect(alone.grid).toEqual([2, 3]);
    expect(alone.tokens.length).toBe(6 * 64);
  });

  it("draws several at a time", async () => {
    const prompts = ["a boat", "a red house", "rain"];
    const together = await Promise.all(
      prompts.map((prompt) => one(model.draw(prompt, { ...FAST, seed: 1 }))),
    );
    for (const [index, prompt] of prompts.entries()) {
      const again = await one(model.draw(prompt, { ...FAST, seed: 1 }));
      expect(again.tokens).toEqual(together[index]?.tokens);
    }
  });

  it("can be followed, previewed, stopped and taken up again", async () => {
    const drawing = model.start(["a boat", "rain"], { ...FAST, seed: 3 });
    const seen: number[] = [];
    const rows: number[] = [];
    let known: DrawOptions["keep"];
    for await (const progress of drawing) {
      seen.push(progress.token);
      rows.push(progress.rows);
      expect(progress.of).toBe(6);
      if (progress.token === 3) {
        known = progress.tokens();
        const previews = await progress.preview();
        expect(previews.map(({ width, height }) => [width, height])).toEqual([
          [48, 32],
          [48, 32],
        ]);
        expect(previews[0]?.data.subarray(-3)).toEqual(Uint8Array.of(128, 128, 128));
      }
    }
    expect(seen).toEqual([1, 2, 3, 4, 5, 6]);
    expect(rows).toEqual([0, 0, 1, 1, 1, 2]);
    const pictures = await drawing.pictures();
    expect(known?.shape).toEqual([2, 3, 64]);
    const resumed = await model.draw(["a boat", "rain"], {
      ...FAST,
      seed: 3,
      ...(known && { keep: known }),
    });
    expect(resumed.map(({ tokens }) => tokens)).toEqual(pictures.map(({ tokens }) => tokens));
    expect(() => drawing[Symbol.asyncIterator]()).toThrow(InputError);

    const left = model.start("rain", { ...FAST, seed: 3 });
    for await (const _ of left) break;
    await expect(left.pictures()).rejects.toThrow(AbortedError);
  });

  it("stops when it is cancelled", async () => {
    const abort = new AbortController();
    const drawing = model.start("rain", { ...FAST, signal: abort.signal });
    const follow = async () => {
      for await (const { token } of drawing) if (token === 2) abort.abort();
    };
    await expect(follow()).rejects.toThrow(AbortedError);
    await expect(drawing.pictures()).rejects.toThrow(AbortedError);
    await expect(model.draw("rain", { ...FAST, signal: AbortSignal.abort() })).rejects.toThrow(AbortedError);
  });

  it("settles when an iterator was taken and left, at whatever moment", async () => {
    const untouched = model.start("rain", { ...FAST, seed: 3 });
    untouched[Symbol.asyncIterator]();
    expect(await untouched.pictures()).toHaveLength(1);
    const returned = model.start("rain", { ...FAST, seed: 3 });
    await returned[Symbol.asyncIterator]().return(undefined);
    expect(await returned.pictures()).toHaveLength(1);
    const forgotten = model.start("rain", { ...FAST, seed: 3 });
    await forgotten[Symbol.asyncIterator]().next();
    expect(await forgotten.pictures()).toHaveLength(1);
  });

  it("keeps the tokens of single cells, and draws the others", async () => {
    const whole = await one(model.draw("a boat", { ...FAST, seed: 3 }));
    const other = await one(model.draw("rain", { ...FAST, seed: 4 }));
    const keep = { data: other.tokens, shape: [1, 6, 64], mask: Uint8Array.of(0, 1, 0, 0, 1, 0) };
    const mixed = await one(model.draw("a boat", { ...FAST, seed: 3, keep }));
    const cell = (picture: Picture, index: number) => picture.tokens.subarray(index * 64, (index + 1) * 64);
    expect(cell(mixed, 0)).toEqual(cell(whole, 0));
    for (const index of [1, 4]) expect(cell(mixed, index)).toEqual(cell(other, index));
    expect(cell(mixed, 2)).not.toEqual(cell(whole, 2));
    const all = { data: whole.tokens, shape: [1, 6, 64] };
    expect((await one(model.draw("a boat", { ...FAST, seed: 3, keep: all }))).pixels).toEqual(whole.pixels);
  });

  it("says where a number is not finite instead of drawing black", async () => {
    const [draws, width] = [1 + FAST.steps, 64];
    const data = new Float32Array(6 * draws * width).fill(1e38);
    const noise = { data, shape: [1, 6, draws, width] };
    await expect(model.draw("rain", { ...FAST, noise })).rejects.toThrow(
      /picture 1: token \d of 6 .* not finite/,
    );
  });

  it.each([
    ["a prompt", "word ".repeat(50_000), {}],
    ["text that no tokenizer need look at", "x".repeat(2 ** 28), {}],
    ["a picture", "rain", { size: { width: 16 * 1024, height: 16 * 1024 } }],
  ])(
    "refuses %s that is too long, with the numbers, before anything is loaded",
    async (_, prompt, change) => {
      await using fresh = await open(testModelPath("v1.1"), { threads: 1 });
      await expect(fresh.draw(prompt, { ...FAST, ...change })).rejects.toThrow(
        /more than .* 131072 positions/,
      );
    },
  );

  it("takes noise in place of a seed", async () => {
    const noise = { data: new Float32Array(6 * 4 * 64).fill(0.5), shape: [1, 6, 4, 64] };
    const [a, b] = [1, 2].map((seed) => one(model.draw("rain", { ...FAST, seed, noise })));
    expect((await a)?.tokens).toEqual((await b)?.tokens);
    expect((await a)?.recipe.injectedNoise).toBe(true);
    const wrong = { ...noise, shape: [1, 4, 6, 64] };
    await expect(model.draw("rain", { ...FAST, noise: wrong })).rejects.toThrow(/give \[1, 6, 4, 64\]/);
  });

  it("draws shapes by name and the model's own square", async () => {
    const square = await one(model.draw("rain", { steps: 2, cfg: 1, seed: 1 }));
    expect([square.pixels.width, square.pixels.height]).toEqual([64, 64]);
    const wide = await one(model.draw("rain", { steps: 2, cfg: 1, seed: 1, aspect: "2:1" }));
    expect(wide.pixels.width).toBeGreaterThan(wide.pixels.height);
  });

  it("encodes a picture to the tokens that a drawing keeps", async () => {
    const { grid, tokens } = await model.encode(testImage(48, 32));
    expect(grid).toEqual([2, 3]);
    expect(tokens).toHaveLength(6 * 64);
    const mask = Uint8Array.of(1, 1, 1, 1, 1, 0);
    const keep = { data: tokens, mask, shape: [1, 6, 64] };
    const drawn = await one(model.draw("rain", { ...FAST, seed: 5, keep }));
    expect(drawn.tokens.subarray(0, 5 * 64)).toEqual(tokens.subarray(0, 5 * 64));
    const sized = await model.encode(testImage(50, 32));
    expect(sized.grid[0] * sized.grid[1] * 64).toBe(sized.tokens.length);
    await expect(model.encode({ width: 1 } as unknown as RgbImage)).rejects.toThrow(InputError);
    await expect(model.encode(testImage(48, 32), { signal: AbortSignal.abort() })).rejects.toThrow(
      AbortedError,
    );
  });

  it("counts what it takes before it is drawn", async () => {
    const plain = await model.start("rain", { ...FAST, seed: 5, count: 3 }).counts();
    expect(plain).toEqual({ text: plain.text, inputImages: 0, output: 18 });
    const images = [testImage(48, 32)];
    const edit = await model.start("rain", { ...FAST, seed: 5, images }).counts();
    expect(edit).toMatchObject({ inputImages: 6, output: 6 });
    const longer = await model.start("rain rain", { ...FAST, seed: 5 }).counts();
    expect(longer.text).toBeGreaterThan(plain.text);
  });

  it("knows its sizes, and whether its engine answers", async () => {
    expect([model.pixelsPerToken, model.size]).toEqual([16, [64, 64]]);
    expect(await model.answers()).toBe(true);
    const other = await open(testModelPath("v1.1"), { threads: 1 });
    await other.close();
    expect(await other.answers()).toBe(false);
  });

  it("writes a PNG that holds its recipe, and draws it again", async () => {
    const picture = await one(model.draw("a boat", { ...FAST, seed: 9, sampler: "ode", positive: "nice" }));
    const path = join(scratch, "folder", "boat.png");
    await picture.save(path);
    const bytes = await readFile(path);
    expect(await decodeImage(bytes, "boat")).toEqual(picture.pixels);
    const texts = new Map((await readPngTexts(bytes, nodeZlib)).map(({ keyword, text }) => [keyword, text]));
    expect(texts.get("parameters")).toMatch(
      /^a boat nice\nNegative prompt: bad\nSteps: 3, Sampler: ode, CFG scale: 2/,
    );
    expect(readDigitalSourceType(texts.get("XML:com.adobe.xmp") ?? "")).toBe("trainedAlgorithmicMedia");
    const recipe = parseRecipe(texts.get("nextstep") ?? "", path);
    expect(recipe).toEqual(picture.recipe);
    const [again] = await model.again(recipe).pictures();
    expect(again?.pixels).toEqual(picture.pixels);
    expect(again?.notes).toEqual([]);
    expect(again?.recipe).toEqual(recipe);
  });
});

describe("editing", () => {
  it("looks at images, wherever the prompt puts them", async () => {
    const [first, second] = [testImage(48, 32), testImage(48, 32, 90)];
    const options = { ...FAST, seed: 2, cfgImg: 1.5 };
    const edited = await one(model.draw("<image>make it blue", { ...options, images: [first] }));
    const untagged = await one(model.draw("make it blue", { ...options, images: [first] }));
    expect(untagged.tokens).toEqual(edited.tokens);
    const other = await one(model.draw("make it blue", { ...options, images: [second] }));
    expect(distance(other, edited)).toBeGreaterThan(VISIBLE);
    expect(edited.recipe.images).toHaveLength(1);

    const both = await one(model.draw("put <image> beside <image>", { ...options, images: [first, second] }));
    const swapped = await one(
      model.draw("put <image> beside <image>", { ...options, images: [second, first] }),
    );
    expect(distance(both, swapped)).toBeGreaterThan(VISIBLE);
    const batch = await model.draw(["<image>turn it", "<image>make it blue"], {
      ...options,
      count: 2,
      images: [second, first],
    });
    expect(batch[2]?.tokens).toEqual(edited.tokens);
  });

  it("brings files to the size of the picture, or to a shape of the model", async () => {
    const path = join(scratch, "wide.png");
    const source = await one(model.draw("rain", { ...FAST, seed: 1, size: { width: 96, height: 32 } }));
    await writeFile(path, await source.toPng());
    const settings = { steps: 2, cfg: 2, cfgImg: 1, seed: 1 };
    const edited = await one(model.draw("bluer", { ...settings, images: [path] }));
    expect(edited.pixels.width).toBeGreaterThan(edited.pixels.height);
    expect((edited.pixels.width * edited.pixels.height) / 64 ** 2).toBeLessThan(1.3);
    const sized = await one(
      model.draw("bluer", { ...settings, images: [await source.toPng()], size: { width: 32, height: 32 } }),
    );
    expect(sized.recipe.images).toMatchObject([{ width: 32, height: 32 }]);
    const recipe = parseRecipe(JSON.stringify(edited.recipe), "recipe");
    const [again] = await model.again(recipe, { images: [path] }).pictures();
    expect(again?.tokens).toEqual(edited.tokens);
    await expect(model.again(recipe).pictures()).rejects.toThrow(/input images/);
    await expect(model.again(recipe, { images: [testImage(48, 32)] }).pictures()).rejects.toThrow(InputError);
  });
});

describe("text", () => {
  const joined = async (pieces: AsyncIterable<string>) => {
    let text = "";
    for await (const piece of pieces) text += piece;
    return text;
  };

  it("continues a prompt, greedily or by a seed", async () => {
    const greedy = await joined(model.write("Two birds sing", { maxTokens: 10 }));
    // What the published code writes, as the reference case holds it.
    const { prompt, text } = JSON.parse(
      await readFile(join(testModelPath("v1.1"), "../../cases/text-v1.1.json"), "utf8"),
    );
    expect([prompt, greedy]).toEqual(["Two birds sing", text]);
    const sampled = (seed: number) =>
      joined(model.write("Two birds sing", { maxTokens: 10, temperature: 1.5, topK: 50, topP: 0.9, seed }));
    expect(await sampled(1)).toBe(await sampled(1));
    expect(await sampled(1)).not.toBe(await sampled(2));
  });

  it("says why it ended", async () => {
    const cut = model.write("Two birds sing", { maxTokens: 3 });
    expect(await cut.finishReason()).toBe("length");
    expect(await cut.text()).toBe(await joined(cut));
  });

  it("says something about a picture, depending on it", async () => {
    const caption = (phase: number) => joined(model.caption(testImage(32, 32, phase), { maxTokens: 8 }));
    expect(await caption(0)).toBe(await caption(0));
    expect(await caption(0)).not.toBe(await caption(90));
  });

  it("stops when it is cancelled", async () => {
    const writing = joined(model.write("rain", { signal: AbortSignal.abort() }));
    await expect(writing).rejects.toThrow(AbortedError);
  });

  it.each([
    ["an empty prompt", () => model.write("")],
    ["no tokens", () => model.write("rain", { maxTokens: 0 })],
    ["a seed that is none", () => model.write("rain", { seed: -1 })],
    ["a temperature that is none", () => model.write("rain", { temperature: -1 })],
  ])("refuses %s", async (_, write) => {
    await expect(joined(write())).rejects.toThrow(NextStepError);
  });
});

describe("options", () => {
  const refused: [string, object, RegExp][] = [
    ["unknown ones", { cfg_img: 2 }, /cfg_img: is not an option.*cfgImg/],
    ["a sampler", { sampler: "euler" }, /sampler: "euler".*v1, v1\.1, ode, sde, cps/],
    ["a schedule", { cfgSchedule: "cosine" }, /cfgSchedule.*constant, linear/],
    ["steps", { steps: 0 }, /steps: 0.*1 to 1000/],
    ["guidance", { cfg: Number.NaN }, /cfg: NaN/],
    ["guidance beyond all numbers", { cfg: 1e38 }, /cfg: 1e\+38.*0 to 100/],
    ["a shift", { shift: 0 }, /shift: 0.*0\.001 to 1000/],
    ["a norm", { useNorm: "yes" }, /useNorm.*true or false/],
    ["a text", { negative: 3 }, /negative: 3.*text/],
    ["a seed", { seed: 1.5 }, /seed: 1\.5/],
    ["a count", { count: 0 }, /count: 0.*1 to 256/],
    ["a size", { size: { width: 60, height: 64 } }, /multiples of 16/],
    ["half a size", { size: { width: 64 } }, /size: is not a size .*width, height/],
    ["an aspect", { aspect: "5:1" }, /aspect: "5:1".*16:9/],
    ["two sizes", { aspect: "1:1", size: { width: 64, height: 64 } }, /exclude each other/],
    ["images that are no list", { images: "a.png" }, /images: is not a list/],
    ["a missing file", { images: [join("no", "where.png")] }, /where\.png/],
    ["image guidance without images", { cfgImg: 2, cfg: 2 }, /cfg_img/],
    ["tokens of other pictures", { keep: { data: new Float32Array(64), shape: [64] } }, /keep: \[64\]/],
  ];
  it.each(refused)("refuses %s", async (_, options, message) => {
    const drawing = model.draw("rain", { cfg: 1, steps: 2, ...(options as DrawOptions) });
    await expect(drawing).rejects.toThrow(NextStepError);
    await expect(model.draw("rain", { cfg: 1, steps: 2, ...(options as DrawOptions) })).rejects.toThrow(
      message,
    );
  });

  it("refuses prompts that are none", async () => {
    await expect(model.draw([])).rejects.toThrow(InputError);
    const numbers: string[] = JSON.parse("[3]");
    await expect(model.draw(numbers)).rejects.toThrow(/prompt 1/);
  });
});

describe("opening", () => {
  it("takes the published settings of each release", async () => {
    expect(model.defaults.drawing).toMatchObject({ sampler: "sde", steps: 28, cfg: 7.5, useNorm: false });
    await using first = await open(testModelPath("v1"), { threads: 1 });
    expect(first.defaults.drawing).toMatchObject({ sampler: "v1", steps: 50, useNorm: true });
    expect(first.defaults.editing).toMatchObject({ cfgImg: 2, shift: 3.2, negative: "Copy original image." });
    const picture = await one(first.draw("a boat", { steps: 3, seed: 1 }));
    expect(picture.recipe.settings.positive).toMatch(/^masterpiece/);
  });

  it("prefers the settings in the model's folder", async () => {
    const folder = join(scratch, "own");
    await cp(testModelPath("v1.1"), folder, { recursive: true });
    const settings = { generation: { cfg: 2, steps: 5 }, editing: { cfgImg: 1.5 }, source: "elsewhere" };
    await writeFile(join(folder, "nextstep.json"), JSON.stringify(settings));
    await using own = await open(folder, { threads: 1 });
    expect(own.defaults.drawing).toMatchObject({ cfg: 2, steps: 5, negative: "", sampler: "sde" });
    expect(own.defaults.editing).toMatchObject({ cfg: 2, steps: 5, cfgImg: 1.5 });
    for (const generation of [{ cfgs: 2 }, { steps: 1.5 }, 3]) {
      await writeFile(join(folder, "nextstep.json"), JSON.stringify({ generation }));
      await expect(open(folder)).rejects.toThrow(ConfigError);
    }
  });

  it("tells how loading goes, and can be cancelled", async () => {
    const seen: LoadProgress[] = [];
    await using followed = await open(testModelPath("v1.1"), {
      threads: 1,
      onProgress: (progress) => seen.push(progress),
    });
    expect(seen).toEqual([{ phase: "reading" }]);
    await followed.draw("rain", { ...FAST, seed: 1 });
    const loading = seen.filter((progress) => progress.phase === "loading weights");
    // Backbone, image head and decoder, each to its end.
    expect(loading.filter(({ done, of }) => done === of)).toHaveLength(3);
    for (const { done, of } of loading) expect(done).toBeLessThanOrEqual(of);
    const signal = AbortSignal.abort();
    await expect(open(testModelPath("v1.1"), { signal })).rejects.toThrow(AbortedError);
    const later = new AbortController();
    const opening = open(testModelPath("v1.1"), { threads: 1, signal: later.signal });
    later.abort();
    await expect(opening).rejects.toThrow(AbortedError);
  });

  it.each<[string, (model: Model) => Promise<unknown>]>([
    ["drawing", (model) => model.draw("rain", FAST)],
    [
      "writing",
      async (model) => {
        for await (const _ of model.write("rain", { maxTokens: 500 }));
      },
    ],
    [
      "captioning",
      async (model) => {
        for await (const _ of model.caption(testImage(32, 32), { maxTokens: 500 }));
      },
    ],
  ])("ends %s with one error when it is closed, at whatever moment", async (_, work) => {
    for (const delay of [0, 5, 40, 120]) {
      const closing = await open(testModelPath("v1.1"), { threads: 1 });
      const outcome = work(closing).then(
        () => undefined,
        (error: unknown) => error,
      );
      await new Promise((resolve) => setTimeout(resolve, delay));
      await closing[Symbol.asyncDispose]();
      const error = await outcome;
      if (error === undefined) continue;
      expect(error).toBeInstanceOf(InputError);
      expect(String(error)).toMatch(/was closed/);
    }
  });

  it.each([{ maxPictures: 0 }, { cacheBytes: -1 }, { promptBytes: 0.5 }, { threads: 0 }])(
    "refuses %o by name",
    async (options) => {
      const [name] = Object.keys(options);
      await expect(open(testModelPath("v1.1"), options)).rejects.toThrow(new RegExp(`^${name}: `));
    },
  );

  it("answers with typed errors whatever JavaScript hands in", async () => {
    const call = (name: "draw" | "again" | "write", value: unknown): Promise<unknown> => {
      const method = model[name] as (value: unknown) => { pictures?(): unknown; text?(): unknown };
      const result = method.call(model, value);
      return Promise.resolve(result.pictures?.() ?? result.text?.() ?? result);
    };
    for (const name of ["draw", "again", "write"] as const) {
      for (const value of [5, undefined, null, {}]) {
        await expect(call(name, value), `${name}(${String(value)})`).rejects.toThrow(NextStepError);
      }
    }
  });

  it("refuses what is no model, and work after it was closed", async () => {
    await expect(open(scratch)).rejects.toThrow(NextStepError);
    await expect(open(testModelPath("v1"), { threads: 0 })).rejects.toThrow(InputError);
    const closed = await open(testModelPath("v1.1"), { threads: 1 });
    await closed.close();
    await closed[Symbol.asyncDispose]();
    await expect(closed.draw("rain", FAST)).rejects.toThrow(NextStepError);
  });
});
