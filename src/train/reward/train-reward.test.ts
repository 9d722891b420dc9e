/** @file Reward learning of a tiny model: by an adapter and of all weights, stopped, killed, badly rewarded. */
import { cp, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { readAdapter } from "../../checkpoint/adapter/adapter-folder.ts";
import { openModelFolder } from "../../checkpoint/model-folder.ts";
import { AbortedError, ConfigError, InputError } from "../../errors.ts";
import { LocalFolder } from "../../files/local-folder.ts";
import { CachedRows } from "../../generate/cached-rows.ts";
import { testModelPath } from "../../generate/test-models.ts";
import { adaptableLinears } from "../../model/adapter.ts";
import { nodePlatform } from "../../node/platform.ts";
import type { TrainEvent } from "../loop/train-events.ts";
import type { Reward } from "./reward.ts";
import { redness, rewardSettings, runReward, stepsOf } from "./test-rewards.ts";
import { rehearseReward, trainReward } from "./train-reward.ts";

const BASE = testModelPath("v1.1");
let root = "";
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "nextstep-reward-"));
});
afterAll(() => rm(root, { recursive: true }));

const weightsOf = (name: string, file = "adapter_model.safetensors") =>
  readFile(join(root, name, "model", file));

describe("reward learning", () => {
  it("replays what it drew, with weights that have changed, and says by how much that differs", async () => {
    const config = rewardSettings(root, "whole", {
      validationPrompts: ["a cat"],
      validationPictures: 2,
      pull: 0.1,
    });
    const events = await runReward({ ...config, loop: { ...config.loop, validateEvery: 3 } });
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
    const { linears } = await readAdapter(
      new LocalFolder(join(root, "whole", "model")),
      shapes,
      nodePlatform.sha256,
    );
    for (const { name, up } of linears)
      expect(
        up.some((value) => value !== 0),
        name,
      ).toBe(true);
  }, 240_000);

  it("ends with the same bits when it was stopped in the middle of an update, or killed", async () => {
    const plain = rewardSettings(root, "plain", { loop: { saveEvery: 1, validateEvery: 0, sampleEvery: 0 } });
    await runReward(plain);
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
    expect(await readdir(join(root, "cut", "checkpoints"))).toEqual(["checkpoint-1"]);
    await cp(cut.output, join(root, "killed"), { recursive: true });
    await runReward(cut);
    expect(await weightsOf("cut")).toEqual(await weightsOf("plain"));
    // As if nothing had been told: what lies there is a checkpoint and the beginning of a log.
    await runReward({ ...plain, output: join(root, "killed") });
    expect(await weightsOf("killed")).toEqual(await weightsOf("plain"));
  }, 240_000);

  it.each([{ rank: 2 }, null])(
    "is stopped while it draws, with a checkpoint (adapter %j)",
    async (adapter) => {
      const stop = new AbortController();
      let asked = 0;
      const counting: Reward = (pictures, options) => {
        asked++;
        return redness(pictures, options);
      };
      const config = rewardSettings(root, `drawing ${adapter === null}`, { adapter });
      const onEvent = (event: TrainEvent): void => {
        if (event.type !== "step") return;
        // While the next update's pictures are drawn, whose tokens take more reads.
        const read = CachedRows.prototype.append;
        const reading = vi.spyOn(CachedRows.prototype, "append");
        reading.mockImplementation(function (this: CachedRows, ...rows) {
          if (reading.mock.calls.length === 2) stop.abort();
          return read.apply(this, rows);
        });
      };
      const running = trainReward(config, { reward: counting, signal: stop.signal, onEvent });
      await expect(running).rejects.toThrow(/training was stopped/);
      vi.restoreAllMocks();
      expect(asked).toBe(1);
      expect(await readdir(join(config.output, "checkpoints"))).toEqual(["checkpoint-1"]);
    },
    240_000,
  );

  it("learns nothing from groups without differences", async () => {
    const one: Reward = async (pictures) => pictures.map(({ prompt }) => (prompt === "rain" ? 1 : 0));
    const events = stepsOf(await runReward(rewardSettings(root, "even", { steps: 1, pull: 0.1 }), one));
    expect(events[0]).toMatchObject({
      loss: 0,
      gradientNorm: 0,
      metrics: { rejected: 2, spread: 0, reward: 0.5 },
    });
    expect(events[0]!.metrics.replay_difference).toBeUndefined();
    const good = rewardSettings(root, "good", { steps: 1, groups: { prompts: 2, size: 3, maxMean: -10 } });
    expect(stepsOf(await runReward(good))[0]!.metrics.rejected).toBe(2);
  }, 240_000);

  it("trains all weights, too, and draws with them", async () => {
    const events = await runReward(
      rewardSettings(root, "full", { adapter: null, optimizer: { learningRate: 1e-3 } }),
    );
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
  }, 240_000);

  it.each([
    ["throws", () => Promise.reject(new InputError("has no colour", { where: "red" })), /red: has no colour/],
    ["gives too few", async () => [1], /reward: gave 1 numbers for 6 pictures/],
    ["gives no number", async () => [1, 2, Number.NaN, 4, 5, 6], /reward: gave NaN for a picture/],
  ] as const)("ends, with nothing learnt, by a reward that %s", async (what, reward, message) => {
    const config = rewardSettings(root, `bad ${what}`);
    await expect(trainReward(config, { reward })).rejects.toThrow(message);
    expect(await readdir(join(config.output, "checkpoints"))).toEqual([]);
  });

  it("refuses to go on with other groups, and settings that are none", async () => {
    await runReward(rewardSettings(root, "first", { steps: 1 }));
    const other = rewardSettings(root, "first", { steps: 1, groups: { prompts: 1, size: 3 } });
    await expect(runReward(other)).rejects.toThrow(/started with another "groups/);
    const refuseUnjudged = (prompts: readonly string[]): void => {
      throw new InputError("asks for nothing that is red", { where: prompts.join() });
    };
    await expect(
      trainReward(rewardSettings(root, "no", { validationPrompts: ["a cat"] }), {
        reward: redness,
        refuseUnjudged,
      }),
    ).rejects.toThrow("a mug,rain,a cat: asks");
    expect(() => rewardSettings(root, "no", { groups: { size: 1 } })).toThrow(ConfigError);
    await expect(runReward(rewardSettings(root, "no", { replaySteps: 4 }))).rejects.toThrow(
      /replaySteps: is 4; of 4 solver steps, 3 draw noise/,
    );
    expect(() => rewardSettings(root, "no", { rollout: { noiseLevel: 0 } })).toThrow(ConfigError);
    expect(() => rewardSettings(root, "no", { adapter: { dropout: 0.1 } })).toThrow(
      /unknown key "adapter.dropout"/,
    );
  });

  it("tells what a run would take, and leaves no trace", async () => {
    const config = rewardSettings(root, "dry", { steps: 50 });
    const found = await rehearseReward(config, { reward: redness });
    expect(found).toMatchObject({ steps: 50, done: 0, samples: 2, perStep: { pictures: 6, groups: 2 } });
    expect(found.time.secondsPerStep).toBeGreaterThan(0);
    expect(await readdir(root)).not.toContain("dry");
  }, 240_000);
});
