/** @file Pairs made by a drawer of grey squares: chosen by reward, and a run that was stopped goes on. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AbortedError, ConfigError, InputError } from "../../errors.ts";
import { readImage } from "../../files/decode-image.ts";
import { nodeZlib } from "../../files/zlib.ts";
import { encodePng } from "../../image/encode-png.ts";
import { readPairs } from "../../train/preference/pair-file.ts";
import type { Reward } from "../../train/reward/reward.ts";
import { type Drawer, makePairs, type PairRun } from "./make-pairs.ts";

let root = "";
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "nextstep-prefer-"));
});
afterAll(() => rm(root, { recursive: true }));

/** The grey of a seed: some order that is not that of the seeds. */
const greyOf = (seed: number): number => (seed * 37) % 251;

/** Draws squares of one grey, and notes the seeds. */
function drawer(): Drawer & { readonly seeds: number[] } {
  const seeds: number[] = [];
  return {
    seeds,
    draw: async (_prompt, { seed = 0, count = 1 }) =>
      Array.from({ length: count }, (_, index) => {
        seeds.push(seed + index);
        const pixels = { width: 4, height: 4, data: new Uint8Array(48).fill(greyOf(seed + index)) };
        return { pixels, toPng: () => encodePng(pixels, nodeZlib) };
      }),
  };
}

const brightness: Reward = async (pictures) => pictures.map(({ pixels }) => pixels.data[0] as number);

function runOf(name: string, change: Partial<PairRun> = {}): PairRun {
  return {
    ...{ prompts: ["a", "b", "c"], reward: brightness, out: join(root, name), identity: { name } },
    ...{ perPrompt: 8, pairs: 2, seed: 10, options: {}, atOnce: 3 },
    signal: new AbortController().signal,
    onProgress: () => undefined,
    ...change,
  };
}

describe("makePairs", () => {
  it("draws each seed once, and prefers by the reward", async () => {
    const own = drawer();
    const told: string[] = [];
    const outcome = await makePairs(
      own,
      runOf("whole", { onProgress: (done, of) => told.push(`${done}/${of}`) }),
    );
    expect(own.seeds).toEqual(Array.from({ length: 24 }, (_, index) => 10 + index));
    expect(outcome).toMatchObject({ pairs: 6, drawn: 24, undecided: [] });
    expect(outcome.reward.winners).toBeGreaterThan(outcome.reward.all);
    expect(outcome.reward.losers).toBeLessThan(outcome.reward.winners);
    expect([told[0], told.at(-1)]).toEqual(["0/24", "24/24"]);
    const pairs = await readPairs(join(root, "whole"));
    expect(pairs.map(({ prompt }) => prompt)).toEqual(["a", "a", "b", "b", "c", "c"]);
    for (const { winnerPath, loserPath, winnerReward, loserReward } of pairs) {
      expect((await readImage(winnerPath)).data[0]).toBe(winnerReward);
      expect((await readImage(loserPath)).data[0]).toBe(loserReward);
      expect(winnerReward).toBeGreaterThan(loserReward as number);
    }
    const shown = new Set(pairs.flatMap(({ winner, loser }) => [winner, loser]));
    expect((await readdir(join(root, "whole", "pictures"))).length).toBe(shown.size);
  });

  it("goes on where it was stopped, to the same pairs", async () => {
    const stop = new AbortController();
    const first = drawer();
    const stopping: Drawer = {
      draw: async (prompt, options) => {
        if (prompt === "c") stop.abort();
        return first.draw(prompt, options);
      },
    };
    await expect(makePairs(stopping, runOf("cut", { signal: stop.signal }))).rejects.toThrow(AbortedError);
    const second = drawer();
    expect(await makePairs(second, runOf("cut"))).toMatchObject({ pairs: 6, drawn: 8 });
    expect(second.seeds).toEqual(Array.from({ length: 8 }, (_, index) => 26 + index));
    const text = (name: string) => readFile(join(root, name, "pairs.jsonl"), "utf8");
    expect(await text("cut")).toBe(await text("whole"));
    // What is damaged is made again, and nothing else.
    await writeFile(join(root, "cut", "prompts", "00001.json"), '{"prompt":');
    const [picture] = (await readPairs(join(root, "cut"))).map(({ winnerPath }) => winnerPath);
    await writeFile(picture as string, "no picture");
    const third = drawer();
    expect(await makePairs(third, runOf("cut"))).toMatchObject({ drawn: 16 });
    expect(third.seeds[0]).toBe(10);
    expect(await text("cut")).toBe(await text("whole"));
  });

  it("refuses the folder of another run", async () => {
    await makePairs(drawer(), runOf("taken"));
    await expect(makePairs(drawer(), runOf("taken", { identity: { name: "other" } }))).rejects.toThrow(
      ConfigError,
    );
  });

  it("names prompts whose pictures are all alike, and refuses if all are", async () => {
    const same: Reward = async (pictures) =>
      pictures.map(({ prompt, pixels }) => (prompt === "b" ? 1 : (pixels.data[0] as number)));
    const outcome = await makePairs(drawer(), runOf("undecided", { reward: same }));
    expect(outcome).toMatchObject({ pairs: 4, undecided: ["b"] });
    const none = makePairs(drawer(), runOf("none", { reward: async (pictures) => pictures.map(() => 3) }));
    await expect(none).rejects.toThrow(/none is preferred/);
    expect(await readdir(join(root, "none"))).not.toContain("pairs.jsonl");
  });

  it.each<readonly [string, Reward]>([
    ["throws", () => Promise.reject(new InputError("broke down", { where: "reward" }))],
    ["gives NaN", async (pictures) => pictures.map(() => Number.NaN)],
    ["gives too few numbers", async () => [1]],
  ])("ends with an error, and no pairs, when the reward %s", async (name, reward) => {
    await expect(makePairs(drawer(), runOf(name, { reward }))).rejects.toThrow(InputError);
    expect(await readdir(join(root, name))).not.toContain("pairs.jsonl");
  });
});
