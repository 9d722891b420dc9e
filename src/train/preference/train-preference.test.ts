/** @file Preferences that are learnt by a tiny model from a folder of pairs: resumed with the same bits, refused by name. */
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readAdapter } from "../../checkpoint/adapter/adapter-folder.ts";
import { openModelFolder } from "../../checkpoint/model-folder.ts";
import { AbortedError, ConfigError, DataFormatError, InputError } from "../../errors.ts";
import { LocalFolder } from "../../files/local-folder.ts";
import { nodeZlib } from "../../files/zlib.ts";
import { testModelPath } from "../../generate/test-models.ts";
import { encodePng } from "../../image/encode-png.ts";
import { adaptableLinears } from "../../model/adapter.ts";
import { nodePlatform } from "../../node/platform.ts";
import { parseTrainConfig } from "../loop/train-config.ts";
import type { TrainEvent } from "../loop/train-events.ts";
import { writePairs } from "./pair-file.ts";
import { preferenceTrainConfigSchema } from "./preference-train-config.ts";
import { rehearsePreference, trainPreference } from "./train-preference.ts";

const BASE = testModelPath("v1.1");
const SIDE = 32;
let root = "";

async function putPicture(path: string, channel: number, width = SIDE): Promise<void> {
  const data = new Uint8Array(3 * width * SIDE).map((_, i) => (i % 3 === channel ? 220 : 30 + (i % 7)));
  await writeFile(path, await encodePng({ width, height: SIDE, data }, nodeZlib));
}

/** Red is preferred to green, blue to red. */
async function putPairs(name: string): Promise<void> {
  const folder = join(root, name);
  await mkdir(folder);
  await Promise.all(
    ["red", "green", "blue"].map((own, channel) => putPicture(join(folder, `${own}.png`), channel)),
  );
  await writePairs(folder, [
    { prompt: "a mug", winner: "red.png", loser: "green.png" },
    { prompt: "a mug on a table", winner: "blue.png", loser: "red.png" },
    { prompt: "a cup", winner: "red.png", loser: "green.png" },
  ]);
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "nextstep-preference-"));
  await putPairs("pairs");
  await putPairs("held-out");
});
afterAll(() => rm(root, { recursive: true }));

function settings(name: string, change: Readonly<Record<string, unknown>> = {}) {
  const json = {
    ...{ output: join(root, name), base: BASE, pairs: join(root, "pairs"), imageSize: SIDE },
    ...{ steps: 4, batch: 2, beta: 50, aspectBuckets: false, engine: { threads: 1 }, adapter: { rank: 2 } },
    optimizer: { learningRate: 0.01, weightDecay: 0 },
    loop: { saveEvery: 2, validateEvery: 0, sampleEvery: 0, schedule: { name: "constant" } },
    ...change,
  };
  return parseTrainConfig(preferenceTrainConfigSchema, json, "config.json");
}

describe("training on preferences", () => {
  it("raises winners above losers, on held-out pairs too", async () => {
    const events: TrainEvent[] = [];
    const config = settings("learns", {
      ...{ steps: 12, validationPairs: join(root, "held-out") },
      loop: { saveEvery: 0, validateEvery: 6, sampleEvery: 0 },
    });
    const { model } = await trainPreference(config, { onEvent: (event) => events.push(event) });
    const losses = events.flatMap((event) => (event.type === "step" ? [event.loss] : []));
    expect(losses[0]).toBeCloseTo(Math.log(2), 3);
    expect(losses.at(-1)).toBeLessThan(0.9 * Math.log(2));
    const [first, , last] = events.flatMap((event) => (event.type === "validation" ? [event.metrics] : []));
    // With weights that are the base's.
    expect(first).toMatchObject({ winner_rise: 0, loser_rise: 0 });
    expect(last).toMatchObject({ accuracy: 1 });
    expect(last!.preference_loss).toBeLessThan(first!.preference_loss as number);
    expect(last!.loser_rise).toBeGreaterThan(last!.winner_rise as number);
    await using base = await openModelFolder(new LocalFolder(BASE));
    const shapes = adaptableLinears(base.parameters);
    const { linears } = await readAdapter(new LocalFolder(model), shapes, nodePlatform.sha256);
    expect(linears).toHaveLength(shapes.length);
  }, 240_000);

  const trained = {
    "an adapter": [{}, "adapter_model.safetensors"],
    "all weights": [{ adapter: null, optimizer: { learningRate: 1e-4 } }, "model.safetensors"],
  } as const;
  it.each(Object.entries(trained))(
    "ends with the same bits when it was stopped: %s",
    async (name, [change, file]) => {
      const whole = await trainPreference(settings(`${name} whole`, change));
      const stop = new AbortController();
      const onEvent = (event: TrainEvent): void => {
        if (event.type === "step" && event.step === 3) stop.abort();
      };
      const cut = settings(`${name} cut`, change);
      await expect(trainPreference(cut, { signal: stop.signal, onEvent })).rejects.toThrow(AbortedError);
      const again = await trainPreference(cut);
      expect(await readFile(join(again.model, file))).toEqual(await readFile(join(whole.model, file)));
    },
    240_000,
  );

  it("writes a whole model where all weights are trained", async () => {
    const { model } = await trainPreference(
      settings("all weights whole", { adapter: null, optimizer: { learningRate: 1e-4 } }),
    );
    await using own = await openModelFolder(new LocalFolder(model));
    await using base = await openModelFolder(new LocalFolder(BASE));
    expect(own.configJson).toEqual(base.configJson);
    expect([...own.tensors.entries.keys()].sort()).toEqual([...base.tensors.entries.keys()].sort());
    const name = "image_in_projector.weight";
    expect(await own.tensors.read(name)).not.toEqual(await base.tensors.read(name));
    expect(own.autoencoder).toBeDefined();
  }, 120_000);

  it("tells what a run would take, and leaves nothing behind", async () => {
    const found = await rehearsePreference(settings("rehearsed"));
    expect(found).toMatchObject({ steps: 4, done: 0, samples: 3, pictures: 6 });
    expect(found.perStep).toMatchObject({ pairs: 2, pictures: 4 });
    await expect(stat(join(root, "rehearsed"))).rejects.toThrow("ENOENT");
  }, 120_000);

  it("refuses to go on with other pairs, beta or utility", async () => {
    await trainPreference(settings("begun", { steps: 1 }));
    await expect(trainPreference(settings("begun", { steps: 2, beta: 51 }))).rejects.toThrow(/another "beta/);
    await expect(trainPreference(settings("begun", { steps: 2, utility: "linear" }))).rejects.toThrow(
      /another "utility/,
    );
    await putPicture(join(root, "pairs", "green.png"), 2);
    const other = trainPreference(settings("begun", { steps: 2 }));
    await expect(other).rejects.toThrow(/another "inputs\.pairs/);
    await putPicture(join(root, "pairs", "green.png"), 1);
  }, 120_000);

  it("refuses pictures that are missing, damaged, or of two shapes", async () => {
    const folder = join(root, "bad");
    await mkdir(folder);
    await putPicture(join(folder, "a.png"), 0);
    await putPicture(join(folder, "wide.png"), 0, 3 * SIDE);
    await writeFile(join(folder, "cut.png"), (await readFile(join(folder, "a.png"))).subarray(0, 60));
    const trying = async (loser: string, change = {}) => {
      await writePairs(folder, [{ prompt: "a mug", winner: "a.png", loser }]);
      await trainPreference(settings(`no ${loser}`, { pairs: folder, batch: 1, ...change }));
    };
    await expect(trying("b.png")).rejects.toThrow(InputError);
    await expect(trying("cut.png")).rejects.toThrow(DataFormatError);
    await expect(trying("wide.png", { aspectBuckets: true, imageSize: 64 })).rejects.toThrow(
      /pairs\.jsonl:1: winner and loser have other shapes/,
    );
  }, 120_000);
});

describe("the config of preference training", () => {
  const needed = { output: "runs/a", pairs: "pairs", base: "model" };
  const parse = (json: unknown) => parseTrainConfig(preferenceTrainConfigSchema, json, "config.json");

  it("has the published schedule by name, with whatever is given over it", () => {
    const published = parse({ ...needed, preset: "published" });
    expect(published).toMatchObject({ steps: 300, utility: "sigmoid" });
    expect(published.optimizer).toMatchObject({ learningRate: 2e-6, betas: [0.9, 0.95] });
    expect(published.loop.schedule).toMatchObject({ name: "constant", warmupSteps: 0 });
    const changed = parse({ ...needed, preset: "published", steps: 20, loop: { accumulate: 4 } });
    expect(changed).toMatchObject({ steps: 20, loop: { accumulate: 4, schedule: { name: "constant" } } });
    expect(changed.optimizer.learningRate).toBe(2e-6);
  });

  it("refuses another preset, and wants the steps without one", () => {
    expect(() => parse({ ...needed, preset: "toString" })).toThrow(/preset/);
    expect(() => parse(needed)).toThrow(/steps/);
    expect(() => parse({ ...needed, steps: 3, beta: 0 })).toThrow(ConfigError);
    expect(() => parse([])).toThrow(ConfigError);
    expect(() => parse({ ...needed, steps: 3, adapter: { dropout: 0.1 } })).toThrow(/adapter\.dropout/);
  });
});
