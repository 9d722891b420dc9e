/** @file Reward learning of a tiny model: by an adapter and of all weights, stopped, killed, badly rewarded. */
import { cp, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readAdapter } from "../../checkpoint/adapter/adapter-folder.ts";
import { openModelFolder } from "../../checkpoint/model-folder.ts";
import { AbortedError, ConfigError, InputError } from "../../errors.ts";
import { LocalFolder } from "../../files/local-folder.ts";
import { testModelPath } from "../../generate/test-models.ts";
import { adaptableLinears } from "../../model/adapter.ts";
import { nodePlatform } from "../../node/platform.ts";
import { parseTrainConfig } from "../loop/train-config.ts";
import type { TrainEvent } from "../loop/train-events.ts";
import type { Reward } from "./reward.ts";
import { rewardTrainConfigSchema } from "./reward-train-config.ts";
import { rehearseReward, trainReward } from "./train-reward.ts";

const BASE = testModelPath("v1.1");
let root = "";
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "nextstep-reward-"));
});
afterAll(() => rm(root, { recursive: true }));

function settings(name: string, change: Readonly<Record<string, unknown>> = {}) {
  const json = {
    ...{ output: join(root, name), base: BASE, reward: "red", prompts: ["a mug", "rain"], imageSize: 32 },
    ...{ steps: 3, groups: { prompts: 2, size: 3 }, rollout: { steps: 4 }, engine: { threads: 1 } },
    adapter: { rank: 2 },
    optimizer: { learningRate: 0.01 },
    loop: { saveEvery: 0, validateEvery: 0, sampleEvery: 0 },
    ...change,
  };
  return parseTrainConfig(rewardTrainConfigSchema, json, "config.json");
}

/** Mean of a channel, 0 to 1, less that of the others. */
const redness: Reward = async (pictures) =>
  pictures.map(({ pixels: { data } }) => {
    const sums = [0, 0, 0];
    data.forEach((value, i) => {
      sums[i % 3]! += value;
    });
    return (sums[0]! - (sums[1]! + sums[2]!) / 2) / (255 * (data.length / 3));
  });

type Step = TrainEvent & { readonly type: "step" };
const stepsOf = (events: readonly TrainEvent[]): Step[] =>
  events.filter((event): event is Step => event.type === "step");

async function run(config: ReturnType<typeof settings>, reward: Reward = redness): Promise<TrainEvent[]> {
  const events: TrainEvent[] = [];
  await trainReward(config, { reward, onEvent: (event) => events.push(event) });
  return events;
}

const weightsOf = (name: string, file = "adapter_model.safetensors") =>
  readFile(join(root, name, "model", file));

describe("reward learning", () => {
  it("replays what it drew, with weights that have changed, and says by how much that differs", async () => {
    const config = settings("whole", { validationPrompts: ["a cat"], validationPictures: 2, pull: 0.1 });
    const events = await run({ ...config, loop: { ...config.loop, validateEvery: 3 } });
    const steps = stepsOf(events);
    expect(steps).toHaveLength(3);
    for (const { metrics } of steps) {
      expect(metrics.replay_difference).toBeGreaterThan(0);
      // Rounding, of log-probabilities of some tenths: matrices are inputs of one session and packed in the other's, the
      // adapter is a product a row here and of all rows there, and attention adds over a cache. Measured: 4e-8.
      expect(metrics.replay_difference).toBeLessThan(1e-6);
    }
    // The adapter adds nothing at first, and something afterwards.
    expect(steps[0]!.metrics.distance).toBeLessThan(1e-9);
    expect(steps[2]!.metrics.distance).toBeGreaterThan(1e-7);
    const validation = events.find((event) => event.type === "validation");
    expect(validation?.metrics.reward).toEqual(expect.any(Number));
    expect(validation?.metrics.reward_error).toBeGreaterThan(0);
    await using base = await openModelFolder(new LocalFolder(BASE));
    const shapes = adaptableLinears(base.parameters);
    const { linears } = await readAdapter(new LocalFolder(join(root, "whole", "model")), shapes, nodePlatform.sha256);
    for (const { name, up } of linears) expect(up.some((value) => value !== 0), name).toBe(true);
  }, 60_000);

  it("ends with the same bits when it was stopped in the middle of an update, or killed", async () => {
    const plain = settings("plain", { loop: { saveEvery: 1, validateEvery: 0, sampleEvery: 0 } });
    await run(plain);
    const stop = new AbortController();
    let asked = 0;
    const stopping: Reward = async (pictures, { signal }) => {
      if (++asked === 2) {
        stop.abort();
        // As a program that is told to end.
        signal?.throwIfAborted();
      }
      return redness(pictures, {});
    };
    const cut = { ...plain, output: join(root, "cut") };
    await expect(trainReward(cut, { reward: stopping, signal: stop.signal })).rejects.toThrow(AbortedError);
    expect(await readdir(join(root, "cut", "checkpoints"))).toEqual(["checkpoint-0000001"]);
    await cp(cut.output, join(root, "killed"), { recursive: true });
    await run(cut);
    expect(await weightsOf("cut")).toEqual(await weightsOf("plain"));
    // As if nothing had been told: what lies there is a checkpoint and the beginning of a log.
    await run({ ...plain, output: join(root, "killed") });
    expect(await weightsOf("killed")).toEqual(await weightsOf("plain"));
  }, 60_000);

  it("comes to nearly the same in parts", async () => {
    const losses = async (name: string, accumulate: number): Promise<Step> => {
      const loop = { accumulate, saveEvery: 0, validateEvery: 0, sampleEvery: 0 };
      return stepsOf(await run(settings(name, { loop, steps: 1 })))[0]!;
    };
    const [one, four] = [await losses("one", 1), await losses("four", 4)];
    expect(four.metrics.reward).toBe(one.metrics.reward);
    expect(Math.abs(four.gradientNorm / one.gradientNorm - 1)).toBeLessThan(1e-5);
  }, 60_000);

  it("learns nothing from groups without differences", async () => {
    const one: Reward = async (pictures) => pictures.map(({ prompt }) => (prompt === "rain" ? 1 : 0));
    const events = stepsOf(await run(settings("even", { steps: 1, pull: 0.1 }), one));
    expect(events[0]).toMatchObject({ loss: 0, gradientNorm: 0, metrics: { rejected: 2, spread: 0, reward: 0.5 } });
    expect(events[0]!.metrics.replay_difference).toBeUndefined();
    const good = settings("good", { steps: 1, groups: { prompts: 2, size: 3, maxMean: -10 } });
    expect(stepsOf(await run(good))[0]!.metrics.rejected).toBe(2);
  }, 60_000);

  it("trains all weights, too, and draws with them", async () => {
    const events = await run(settings("full", { adapter: null, optimizer: { learningRate: 1e-3 } }));
    for (const { metrics } of stepsOf(events)) expect(metrics.replay_difference).toBeLessThan(1e-6);
    await using base = await openModelFolder(new LocalFolder(BASE));
    await using taught = await openModelFolder(new LocalFolder(join(root, "full", "model")));
    expect([...taught.tensors.entries.keys()].sort()).toEqual([...base.tensors.entries.keys()].sort());
    const moved = async (name: string): Promise<boolean> =>
      (await taught.tensors.read(name)).join() !== (await base.tensors.read(name)).join();
    expect(await moved("layers.0.mlp.up_proj.weight")).toBe(true);
    expect(await moved("embed_tokens.weight")).toBe(true);
    expect(await moved("lm_head.weight")).toBe(false);
    expect(taught.autoencoder).toBeDefined();
  }, 60_000);

  it.each([
    ["throws", () => Promise.reject(new InputError("has no colour", { where: "red" })), /red: has no colour/],
    ["gives too few", async () => [1], /reward: gave 1 numbers for 6 pictures/],
    ["gives no number", async () => [1, 2, Number.NaN, 4, 5, 6], /reward: gave NaN for a picture/],
  ] as const)("ends, with nothing learnt, by a reward that %s", async (what, reward, message) => {
    const config = settings(`bad ${what}`);
    await expect(trainReward(config, { reward })).rejects.toThrow(message);
    expect(await readdir(join(config.output, "checkpoints"))).toEqual([]);
  });

  it("refuses to go on with other groups, and settings that are none", async () => {
    await run(settings("first", { steps: 1 }));
    const other = settings("first", { steps: 1, groups: { prompts: 1, size: 3 } });
    await expect(run(other)).rejects.toThrow(/started with another "groups/);
    expect(() => settings("no", { groups: { size: 1 } })).toThrow(ConfigError);
    expect(() => settings("no", { rollout: { noiseLevel: 0 } })).toThrow(ConfigError);
    expect(() => settings("no", { adapter: { dropout: 0.1 } })).toThrow(/unknown key "adapter.dropout"/);
  });

  it("tells what a run would take, and leaves no trace", async () => {
    const config = settings("dry", { steps: 50 });
    const found = await rehearseReward(config, { reward: redness });
    expect(found).toMatchObject({ steps: 50, done: 0, samples: 2, perStep: { pictures: 6, groups: 2 } });
    expect(found.time.secondsPerStep).toBeGreaterThan(0);
    expect(await readdir(root)).not.toContain("dry");
  }, 60_000);
});
