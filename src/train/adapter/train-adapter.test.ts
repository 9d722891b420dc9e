/** @file Adapters that are trained beside a tiny model, of floats and of blocks: resumed with the same bits, drawn with. */
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeBlocks } from "../../../test/support/write-blocks.ts";
import { readAdapter } from "../../checkpoint/adapter/adapter-folder.ts";
import { openModelFolder } from "../../checkpoint/model-folder.ts";
import { AbortedError, ConfigError } from "../../errors.ts";
import { LocalFolder } from "../../files/local-folder.ts";
import { nodeZlib } from "../../files/zlib.ts";
import { testModelPath } from "../../generate/test-models.ts";
import { readTrainedOn } from "../../generate/trained-on.ts";
import { encodePng } from "../../image/encode-png.ts";
import { adaptableLinears } from "../../model/adapter.ts";
import { nodePlatform } from "../../node/platform.ts";
import { SampleWriter } from "../data/sample-writer.ts";
import { parseTrainConfig } from "../loop/train-config.ts";
import type { TrainEvent } from "../loop/train-events.ts";
import { adapterTrainConfigSchema } from "./adapter-train-config.ts";
import { trainAdapter } from "./train-adapter.ts";

const BASE = testModelPath("v1.1");
const SIDE = 32;
let root = "";

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "nextstep-adapter-"));
  await mkdir(join(root, "data"));
  await using writer = new SampleWriter(join(root, "data"));
  for (let index = 0; index < 4; index++) {
    const data = new Uint8Array(3 * SIDE * SIDE).map((_, i) => (i % 3 === index % 3 ? 220 : 30));
    const bytes = await encodePng({ width: SIDE, height: SIDE, data }, nodeZlib);
    await writer.add(`s${index}`, { caption: "a mug" }, [{ bytes, extension: "png" }]);
  }
  await writer.close();
});
afterAll(() => rm(root, { recursive: true }));

function settings(name: string, change: Readonly<Record<string, unknown>> = {}) {
  const json = {
    ...{
      output: join(root, name),
      base: BASE,
      data: join(root, "data"),
      imageSize: SIDE,
      steps: 4,
      batch: 2,
    },
    ...{ aspectBuckets: false, packing: null, dropText: 0, engine: { threads: 1 } },
    adapter: { rank: 2, dropout: 0.2, ranks: { q_proj: 3 }, alphas: { o_proj: 5 } },
    optimizer: { learningRate: 0.01, weightDecay: 0 },
    loop: { saveEvery: 2, validateEvery: 0, sampleEvery: 0 },
    ...change,
  };
  return parseTrainConfig(adapterTrainConfigSchema, json, "config.json");
}

const weightsOf = (folder: string) => readFile(join(folder, "adapter_model.safetensors"));

describe("an adapter's training", () => {
  it("ends with the same bits when it was stopped and goes on holding less, and leaves the model alone", async () => {
    const { model } = await trainAdapter(settings("whole"));
    const stop = new AbortController();
    const onEvent = (event: TrainEvent): void => {
      if (event.type === "step" && event.step === 3) stop.abort();
    };
    await expect(trainAdapter(settings("cut"), { signal: stop.signal, onEvent })).rejects.toThrow(
      AbortedError,
    );
    const again = await trainAdapter(settings("cut", { gradientCheckpointing: true }));
    expect(await weightsOf(again.model)).toEqual(await weightsOf(model));

    expect(await readTrainedOn(new LocalFolder(model))).toEqual({
      sizes: [[SIDE, SIDE]],
      words: ["a", "mug"],
    });

    await using base = await openModelFolder(new LocalFolder(BASE));
    const shapes = adaptableLinears(base.parameters);
    const { linears } = await readAdapter(new LocalFolder(model), shapes, nodePlatform.sha256);
    expect(linears.map(({ name }) => name)).toEqual(shapes.map(({ name }) => name));
    const told = (name: string) => linears.find((linear) => linear.name === name);
    expect(told("layers.0.self_attn.q_proj")).toMatchObject({ rank: 3, scale: 8 / 3 });
    expect(told("layers.0.self_attn.o_proj")).toMatchObject({ rank: 2, scale: 5 / 2 });
    // Every linear that the loss reaches has moved from its first value.
    for (const { name, up } of linears)
      expect(
        up.some((value) => value !== 0),
        name,
      ).toBe(true);
  }, 120_000);

  it("goes down over weights in blocks, too", async () => {
    const blocks = join(root, "blocks");
    const format = { bits: 4, blockSize: 32, symmetric: false } as const;
    await writeBlocks(BASE, blocks, {
      "layers.*.mlp.up_proj.weight": format,
      "layers.*.self_attn.q_proj.weight": format,
    });
    const losses: number[] = [];
    const onEvent = (event: TrainEvent): void => {
      if (event.type === "step") losses.push(event.metrics.image_loss as number);
    };
    await trainAdapter(
      settings("quantized", {
        base: blocks,
        steps: 12,
        gradientCheckpointing: true,
        adapter: { rank: 4, alpha: 16 },
        loop: { saveEvery: 0 },
      }),
      { onEvent },
    );
    const mean = (list: readonly number[]) => list.reduce((a, b) => a + b, 0) / list.length;
    expect(mean(losses.slice(-4))).toBeLessThan(0.9 * mean(losses.slice(0, 4)));
  }, 120_000);

  it("learns pictures as the base predicts them, where it is told to, and then changes nothing", async () => {
    const run = async (name: string, own: object) => {
      const errors: number[] = [];
      const onEvent = (event: TrainEvent): void => {
        if (event.type === "step") errors.push(event.metrics.image_loss as number);
      };
      const data = [
        { path: join(root, "data"), samples: 1, asBase: true },
        { path: join(root, "data"), samples: 0, ...own },
      ];
      const change = { data, lmLossWeight: 0, adapter: { rank: 2 }, steps: 6, loop: { saveEvery: 0 } };
      const { model } = await trainAdapter(settings(name, change), { onEvent });
      return { errors, model };
    };
    const kept = await run("kept", {});
    expect(Math.max(...kept.errors)).toBeLessThan(1e-9);
    // With other pictures beside it, the loss is theirs, and what was kept is pulled back.
    const mixed = await run("mixed", { samples: 1 });
    expect(Math.max(...mixed.errors)).toBeGreaterThan(0.1);
    const apart = await run("apart", { samples: 1, asBase: true });
    expect(Math.max(...apart.errors)).toBeLessThan(1e-9);
    const meant = { path: join(root, "data"), samples: 1, asBaseWeight: 2 };
    expect(() => settings("weighted", { data: [meant] })).toThrow(
      /asBaseWeight.*is for sets that are learnt "asBase"/,
    );
  }, 120_000);

  it("refuses linears that the model does not have, and to go on with others", async () => {
    await expect(trainAdapter(settings("no", { adapter: { targets: ["z_proj"] } }))).rejects.toThrow(
      /adapter\.targets: no linear.*z_proj.*q_proj/,
    );
    await expect(trainAdapter(settings("no", { adapter: { targets: "(" } }))).rejects.toThrow(ConfigError);
    await trainAdapter(settings("first", { steps: 1, adapter: { targets: "layers\\.0\\..*" } }));
    await expect(
      trainAdapter(settings("first", { steps: 1, adapter: { targets: ["q_proj"] } })),
    ).rejects.toThrow(/started with another "linears/);
  }, 120_000);
});
