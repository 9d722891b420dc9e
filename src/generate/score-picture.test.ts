import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { AbortedError, ConfigError, InputError } from "../errors.ts";
import { open } from "../node/open-model.ts";
import type { Model } from "./model.ts";
import { parseRecipe } from "./recipe.ts";
import { scoreTimes } from "./score-picture.ts";
import { testModelPath } from "./test-models.ts";

let model: Model;
beforeAll(async () => {
  model = await open(testModelPath("v1.1"), { threads: 1 });
});
afterAll(() => model.close());

const PIXELS = {
  width: 48,
  height: 32,
  data: Uint8Array.from({ length: 3 * 48 * 32 }, (_, i) => (i * 5) % 256),
};

it("takes the middles of equal parts of the times that training draws", () => {
  const times = scoreTimes(4);
  // sigmoid of the normal quantiles at 1/8, 3/8, 5/8 and 7/8: -1.15035, -0.31864 and their mirrors.
  for (const [k, time] of [0.24042, 0.42101, 0.57899, 0.75958].entries()) {
    expect(times[k]).toBeCloseTo(time, 3);
  }
  expect(scoreTimes(1)[0]).toBe(0.5);
});

it("gives the same score to the same picture, and another under another prompt, noise or number of times", async () => {
  const score = await model.score("a cat", PIXELS, { times: 3 });
  const { grid, tokens } = await model.encode(PIXELS);
  expect(await model.score("a cat", { grid, tokens }, { times: 3 })).toEqual(score);
  expect(score.grid).toEqual([2, 3]);
  expect(score.tokenLosses).toHaveLength(6);
  expect(score.tokenLosses.reduce((sum, value) => sum + value, 0) / 6).toBeCloseTo(score.loss, 6);
  expect(score.gain).toBe(score.unconditional - score.loss);
  for (const [prompt, options] of [
    ["a dog in the rain", { times: 3 }],
    ["a cat", { times: 3, seed: 1 }],
    ["a cat", { times: 4 }],
  ] as const) {
    expect((await model.score(prompt, PIXELS, options)).loss).not.toBe(score.loss);
  }
  expect((await model.score("", PIXELS, { times: 3 })).gain).toBe(0);
});

it("scores with adapters, which change nothing at scale 0", async () => {
  const adapters = { plain: fileURLToPath(new URL("../../test/adapters/plain", import.meta.url)) };
  await using adapted = await open(testModelPath("v1.1"), { threads: 1, adapters });
  const own = await model.score("a cat", PIXELS, { times: 2 });
  const scored = (scale: number) =>
    adapted.score("a cat", PIXELS, { times: 2, adapters: [{ name: "plain", scale }] });
  expect((await scored(0)).loss).toBeCloseTo(own.loss, 5);
  expect(Math.abs((await scored(1)).loss - own.loss)).toBeGreaterThan(1e-3);
});

it("refuses by name what cannot be scored", async () => {
  await expect(model.score("a cat", PIXELS, { times: 0 })).rejects.toThrow(InputError);
  await expect(model.score("a cat", PIXELS, { steps: 3 } as never)).rejects.toThrow(ConfigError);
  await expect(model.score(3 as never, PIXELS)).rejects.toThrow(/prompt/);
  await expect(model.score("a cat", { grid: [2, 3], tokens: new Float32Array(7) })).rejects.toThrow(
    /6 tokens/,
  );
  const gone = new AbortController();
  gone.abort();
  await expect(model.score("a cat", PIXELS, { signal: gone.signal })).rejects.toThrow(AbortedError);
});

it("keeps the best of several, with a recipe that says so and draws the same", async () => {
  const size = { width: 48, height: 32 };
  const pictures = await model.draw("a cat", { steps: 2, count: 3, seed: 4, size });
  const { picture, scores } = await model.best(pictures, "likelihood", { times: 2 });
  expect(scores.map(({ seed }) => seed)).toEqual([4, 5, 6]);
  const least = Math.min(...scores.map(({ loss }) => loss));
  expect(scores.find(({ seed }) => seed === picture.seed)?.loss).toBe(least);
  expect(picture.recipe.chosen).toEqual({ by: "likelihood", of: 3, firstSeed: 4 });
  const recipe = parseRecipe(JSON.stringify(picture.recipe), "recipe");
  const [again] = await model.again(recipe).pictures();
  expect(again?.pixels).toEqual(picture.pixels);
  const gained = await model.best(pictures, "gain", { times: 2 });
  const most = Math.max(...scores.map(({ gain }) => gain));
  expect(scores.find(({ seed }) => seed === gained.picture.seed)?.gain).toBe(most);
  for (const by of ["", "Luck", "a b", "a".repeat(33), 3, null]) {
    const broken = { ...picture.recipe, chosen: { by, of: 3, firstSeed: 4 } };
    expect(() => parseRecipe(JSON.stringify(broken), "recipe"), String(by)).toThrow(/chosen/);
  }
  await expect(model.best([], "gain")).rejects.toThrow(InputError);
});

it("keeps what somebody else's numbers say is best", async () => {
  const pictures = await model.draw("a cat", {
    steps: 2,
    count: 3,
    seed: 4,
    size: { width: 48, height: 32 },
  });
  const { picture, scores } = model.bestBy(pictures, [-2, 0.5, 0.5], "my-reward");
  expect(picture.seed).toBe(5);
  expect(scores).toEqual([4, 5, 6].map((seed, index) => ({ seed, reward: [-2, 0.5, 0.5][index] })));
  const recipe = parseRecipe(JSON.stringify(picture.recipe), "recipe");
  expect(recipe.chosen).toEqual({ by: "my-reward", of: 3, firstSeed: 4 });
  const [again] = await model.again(recipe).pictures();
  expect(again?.pixels).toEqual(picture.pixels);
  for (const rewards of [
    [1, 2],
    [1, 2, Number.NaN],
  ]) {
    expect(() => model.bestBy(pictures, rewards, "reward")).toThrow(/3 finite numbers/);
  }
  expect(() => model.bestBy(pictures, [1, 2, 3], "My reward")).toThrow(/name of a reward/);
  expect(() => model.bestBy([], [], "reward")).toThrow(InputError);
});
