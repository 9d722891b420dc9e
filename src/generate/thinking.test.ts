import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { writeThinkingModel } from "../../test/support/thinking-model.ts";
import { AbortedError, ConfigError, InputError } from "../errors.ts";
import { nodePlatform } from "../node/platform.ts";
import { CachedRows } from "./cached-rows.ts";
import type { DrawOptions } from "./draw-options.ts";
import type { Drawing, ThoughtProgress } from "./drawing.ts";
import { encodeJob, parseJob } from "./job-format.ts";
import { Model } from "./model.ts";
import type { Picture } from "./picture.ts";
import { parseRecipe, type Recipe } from "./recipe.ts";

const [THINK, THOUGHT, AREA] = ["<|begin_of_thinking|>", "<|end_of_thinking|>", "<|image_area|>"];
const FAST = {
  ...{ steps: 2, cfg: 2, positive: "", negative: "dry", seed: 5 },
  size: { width: 48, height: 32 },
} satisfies DrawOptions;

let scratch: string;
let model: Model;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "nextstep-thinking-"));
  model = await openThinking([THINK, "m", "u", "d", THOUGHT, AREA]);
});
afterAll(async () => {
  await model.close();
  await rm(scratch, { recursive: true, force: true });
});

async function openThinking(chain: readonly string[]): Promise<Model> {
  const path = join(scratch, `model-${chain.length}`);
  await writeThinkingModel(path, chain);
  return Model.open(nodePlatform, path, { threads: 1 });
}

async function thoughtsOf(drawing: Drawing): Promise<ThoughtProgress[]> {
  const all: ThoughtProgress[] = [];
  for await (const piece of drawing.thoughts()) all.push(piece);
  return all;
}

const bits = (pictures: readonly Picture[]) => pictures.map(({ tokens, pixels }) => ({ tokens, pixels }));
const thoughtTexts = (pictures: readonly Picture[]) => pictures.map(({ recipe }) => recipe.thought?.text);

describe("drawing with a thought", () => {
  it("draws what the prompt with the thought behind it draws, and not what the prompt alone does", async () => {
    const drawn = await model.draw("rain", { ...FAST, think: true });
    expect(thoughtTexts(drawn)).toEqual([`${THINK}mud${THOUGHT}`]);
    expect(drawn[0]?.prompt).toBe("rain");
    expect(drawn[0]?.recipe.version).toBe(3);
    expect(bits(drawn)).toEqual(bits(await model.draw(`rain${THINK}mud${THOUGHT}`, FAST)));
    expect(bits(drawn)).not.toEqual(bits(await model.draw("rain", { ...FAST, think: false })));
  });

  it("sees the pictures of an edit", async () => {
    const photo = { width: 32, height: 32, data: new Uint8Array(32 * 32 * 3).fill(90) };
    const options = { ...FAST, cfgImg: 1.5, images: [photo] };
    const drawn = await model.draw("rain", { ...options, think: true });
    expect(bits(drawn)).toEqual(bits(await model.draw(`<image>rain${THINK}mud${THOUGHT}`, options)));
    expect(bits(await model.again(drawn[0]?.recipe as Recipe, { images: [photo] }).pictures())).toEqual(
      bits(drawn),
    );
  });

  it("hands the thought on as it comes, once where pictures share it", async () => {
    const drawing = model.start(["rain", "fog"], { ...FAST, count: 2, think: true });
    const pieces = await thoughtsOf(drawing);
    expect(pieces.map(({ picture, text }) => `${picture}${text}`)).toEqual([
      ...["0m", "0u", "0d"],
      ...["2m", "2u", "2d"],
    ]);
    expect(new Set(thoughtTexts(await drawing.pictures()))).toEqual(new Set([`${THINK}mud${THOUGHT}`]));
  });

  it("is read once with the prompt where pictures share it", async () => {
    const appended = vi.spyOn(CachedRows.prototype, "append");
    await model.draw("rain", { ...FAST, count: 3, think: true });
    const longest = appended.mock.calls.map(([rows]) => rows.filter(({ ids }) => ids.length > 1).length);
    appended.mockRestore();
    // Condition and negative prompt: those of one picture, whatever the number of pictures.
    expect(Math.max(...longest)).toBeLessThanOrEqual(2);
  });

  it("gives each picture a thought of its own above temperature 0, the same alone", async () => {
    const options = { ...FAST, think: { temperature: 30, maxTokens: 8 } };
    const both = await model.draw("rain", { ...options, count: 2 });
    const [first, second] = thoughtTexts(both);
    expect([typeof first, typeof second]).toEqual(["string", "string"]);
    expect(first).not.toBe(second);
    const alone = await model.draw("rain", { ...options, seed: FAST.seed + 1 });
    expect(thoughtTexts(alone)).toEqual([second]);
    expect(bits(alone)).toEqual(bits(both.slice(1)));
  });

  it("says so where the thought was cut, or is nothing", async () => {
    const [cut] = await model.draw("rain", { ...FAST, think: { maxTokens: 3 } });
    expect(cut?.recipe.thought?.text).toBe(`${THINK}mu${THOUGHT}`);
    expect(cut?.notes).toMatchObject([{ kind: "thought", text: expect.stringContaining("after 3 tokens") }]);
    const silent = await openThinking([THINK, THOUGHT, AREA]);
    const nothing = await silent.draw("rain", { ...FAST, think: true });
    expect(bits(nothing)).toEqual(bits(await silent.draw("rain", FAST)));
    expect(nothing[0]?.recipe).not.toHaveProperty("thought");
    expect(nothing[0]?.notes).toMatchObject([
      { kind: "thought", text: expect.stringContaining("nothing to say") },
    ]);
    await silent.close();
  });
});

describe("a thought that is kept", () => {
  it("is not thought anew when the picture is drawn again, or on", async () => {
    const think = { temperature: 30, maxTokens: 8 };
    const thinking = model.start("rain", { ...FAST, seed: 6, think });
    const job = parseJob(encodeJob({ job: await thinking.job() }), "a.job").job;
    const drawn = await thinking.pictures();
    // Cut within a character: no text gives these ids.
    expect(drawn[0]?.recipe.thought).toMatchObject({
      text: expect.stringContaining("\uFFFD"),
      finishReason: "length",
    });
    const asText = `rain${drawn[0]?.recipe.thought?.text}`;
    expect(bits(await model.draw(asText, { ...FAST, seed: 6 }))).not.toEqual(bits(drawn));
    const recipe = parseRecipe(JSON.stringify(drawn[0]?.recipe), "a.png");
    for (const drawing of [model.again(recipe), model.resume(job)]) {
      expect(await thoughtsOf(drawing)).toEqual([]);
      const pictures = await drawing.pictures();
      expect(bits(pictures)).toEqual(bits(drawn));
      expect(pictures[0]?.recipe).toEqual(recipe);
    }
  });

  it("is read by its text where its ids are another vocabulary's", async () => {
    const [drawn] = await model.draw("rain", { ...FAST, think: true });
    const recipe = drawn?.recipe as Recipe;
    const text = `${THINK}dry${THOUGHT}`;
    const changed = { ...recipe, thought: { text, ids: [1, 2], finishReason: "stop" } } as const;
    const again = await model.again(changed).pictures();
    expect(bits(again)).toEqual(bits(await model.draw(`rain${text}`, FAST)));
  });

  it.each<[string, object, RegExp]>([
    [
      "that holds places of a picture",
      { text: "<|image_placeholder|>", ids: [1] },
      /has no place in a thought/,
    ],
    ["beyond the model's positions", { text: "a".repeat(2 ** 17), ids: [1] }, /131072 positions/],
    ["without tokens", { ids: [] }, /"thought" does not fit/],
    ["whose end is not known", { finishReason: "tired" }, /"thought" does not fit/],
  ])("is refused %s", async (_, change, message) => {
    const [drawn] = await model.draw("rain", { ...FAST, think: true });
    const recipe = drawn?.recipe as Recipe;
    const changed = { ...recipe, thought: { ...recipe.thought, ...change } } as Recipe;
    await expect(model.again(changed).pictures()).rejects.toThrow(message);
  });
});

describe("refuses and stops", () => {
  it("what is no way of thinking", async () => {
    for (const [think, message] of [
      [7, /think: 7 does not say how/],
      [{ maxTokens: 1 }, /think.maxTokens/],
      [{ temperature: -1 }, /temperature/],
      [{ seed: 1 }, /think.seed: is not an option/],
    ] as const) {
      const options = { ...FAST, think } as unknown as DrawOptions;
      await expect(model.draw("rain", options), String(message)).rejects.toThrow(message);
    }
    const long = { ...FAST, think: { maxTokens: 2 ** 17 } };
    await expect(model.draw("rain", long)).rejects.toThrow(/131073 of a thought and 6 of the picture/);
    await expect(model.draw("rain", long)).rejects.toThrow(InputError);
    const [drawn] = await model.draw("rain", FAST);
    const thinking = { think: true } as object;
    await expect(model.again(drawn?.recipe as Recipe, thinking).pictures()).rejects.toThrow(ConfigError);
  });

  it("thinking when the drawing is cancelled or left", async () => {
    const endless = await openThinking([THINK, "m", "u", "d", "w"]);
    const think = { maxTokens: 100_000 };
    const controller = new AbortController();
    const cancelled = endless.start("rain", { ...FAST, think, signal: controller.signal });
    for await (const _ of cancelled.thoughts()) {
      controller.abort();
      break;
    }
    await expect(cancelled.pictures()).rejects.toThrow(AbortedError);
    // Closing waits for whatever still runs on the model.
    const closed = endless.start("rain", { ...FAST, think });
    for await (const _ of closed.thoughts()) break;
    await endless.close();
    await expect(closed.pictures()).rejects.toThrow(/was closed/);
  });
});
