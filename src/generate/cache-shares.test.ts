import { describe, expect, it } from "vitest";
import { openModelFolder } from "../checkpoint/model-folder.ts";
import { InputError } from "../errors.ts";
import { LocalFolder } from "../files/local-folder.ts";
import { nodePlatform } from "../node/platform.ts";
import { cacheShares } from "./cache-shares.ts";
import { CachedRows } from "./cached-rows.ts";
import { memoryOf } from "./memory-check.ts";
import type { ModelMemory } from "./memory-estimate.ts";
import { Model } from "./model.ts";
import type { ModelWork } from "./model-work.ts";
import { testModelPath } from "./test-models.ts";

const GIB = 2 ** 30;

async function memoryModel(name: string): Promise<ModelMemory> {
  await using folder = await openModelFolder(new LocalFolder(testModelPath(name)));
  return memoryOf(folder) as ModelMemory;
}

describe("what is free", () => {
  it("is shared out by the model's shape, and never more than that", async () => {
    const small = await memoryModel("default");
    const { config } = small;
    // The published transformer's keys and values.
    const large = { ...small, config: { ...config, layers: 48, kvHeads: 8, headDim: 128 } };
    const prompt = CachedRows.bytes(large.config, 1, 128);
    expect(prompt).toBe(48 * 2 * 8 * 128 * 128 * 4);
    expect(cacheShares(small, 16 * GIB).promptBytes).toBe(32 * CachedRows.bytes(config, 1, 128));
    expect(cacheShares(await memoryModel("v1.1"), 16 * GIB).promptBytes).toBe(2 ** 25);
    const shares = cacheShares(large, 16 * GIB);
    expect(shares.promptBytes).toBe(32 * prompt);
    expect(shares.cacheBytes).toBeGreaterThan(4 * GIB);
    expect(shares.cacheBytes + shares.promptBytes).toBeLessThan(0.8 * 16 * GIB);
    const narrow = cacheShares(large, 2 * GIB);
    expect(narrow.promptBytes).toBeLessThan(0.25 * 2 * GIB);
    expect(narrow.promptBytes).toBeGreaterThan(4 * prompt);
    expect(cacheShares(large, 1000)).toEqual({ cacheBytes: 0, promptBytes: 0 });
    expect(cacheShares(large, undefined)).toMatchObject({ promptBytes: 32 * prompt });
  });

  it("bounds who is drawn together, and what was done is told", async () => {
    const work: ModelWork[] = [];
    await using model = await Model.open(
      { ...nodePlatform, availableMemory: () => ({ bytes: 300 * 2 ** 20, of: "this machine" }) },
      testModelPath("v1.1"),
      { threads: 1, cacheBytes: "by memory", promptBytes: "by memory", onWork: (done) => work.push(done) },
    );
    expect(model.load).toMatchObject({ pictures: 0, cacheBytes: 0, promptBytes: 0 });
    expect(model.load.cacheLimit).toBeLessThan(300 * 2 ** 20);
    const options = { size: { width: 32, height: 32 }, steps: 3, cfg: 2 };
    await model.draw("rain", options);
    await model.draw("rain", options);
    expect(model.load.promptBytes).toBeGreaterThan(0);
    const prompts = work.filter((done) => done.kind === "prompts");
    expect(prompts.map(({ known }) => known)).toEqual([0, prompts[0]?.tokens]);
    const heads = work.filter((done) => done.kind === "head");
    expect(heads).toHaveLength(8);
    expect(heads[0]).toMatchObject({ tokens: 1, steps: 3, longest: 3 });
    const rows = work.flatMap((done) => (done.kind === "backbone" ? [done.rows] : []));
    expect(rows).toEqual([2, 2, 2, 2, 2, 2]);
    expect(work.filter(({ kind }) => kind === "decoded")).toHaveLength(2);
  });

  it("is asked for in words that are known", async () => {
    const wrong = { cacheBytes: "all" } as unknown as { cacheBytes: number };
    await expect(Model.open(nodePlatform, testModelPath("v1.1"), wrong)).rejects.toThrow(InputError);
  });
});
