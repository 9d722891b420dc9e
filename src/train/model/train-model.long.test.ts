import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openModelFolder } from "../../checkpoint/model-folder.ts";
import { AbortedError } from "../../errors.ts";
import { LocalFolder } from "../../files/local-folder.ts";
import { writeTorchArchive } from "../../files/torch-archive-file.ts";
import { nodeZlib } from "../../files/zlib.ts";
import { tensorsToWrite } from "../../formats/tensor-source.ts";
import { encodePng } from "../../image/encode-png.ts";
import { parseAutoencoderConfig } from "../../model/autoencoder-config.ts";
import { autoencoderParameters } from "../../model/parameter-list.ts";
import { CounterRng } from "../../tensor/counter-rng.ts";
import { float32Tensor } from "../../tensor/tensor.ts";
import { initialAutoencoderWeights } from "../autoencoder/autoencoder-start-weights.ts";
import { SampleWriter } from "../data/sample-writer.ts";
import { parseTrainConfig } from "../loop/train-config.ts";
import type { TrainEvent } from "../loop/train-events.ts";
import { modelTrainConfigSchema } from "./model-train-config.ts";
import { rehearseModel, trainModel } from "./train-model.ts";

const SIDE = 32;
const COLOURS = ["red", "green", "blue"];
const autoencoderJson = {
  ch: 8,
  ch_mult: [1, 1, 1, 1],
  num_res_blocks: 1,
  num_groups: 4,
  z_channels: 4,
  psz: 2,
  encoder_norm: true,
  scaling_factor: 1,
  shift_factor: 0,
  deterministic: true,
};

let root = "";

async function writeData(folder: string, count: number): Promise<void> {
  await mkdir(folder, { recursive: true });
  await using writer = new SampleWriter(folder, 4);
  const rng = new CounterRng(1);
  for (let index = 0; index < count; index++) {
    const data = new Uint8Array(3 * SIDE * SIDE);
    for (let i = 0; i < data.length; i++) data[i] = i % 3 === index % 3 ? 200 : rng.below(60);
    const colour = COLOURS[index % 3]!;
    const json = {
      caption: `a ${colour} square`,
      caption_all: [`a ${colour} square`, `${colour} square number ${index}`],
      metadata: { caption_weights: [0.6, 0.4] },
    };
    const bytes = await encodePng({ width: SIDE, height: SIDE, data }, nodeZlib);
    await writer.add(`s${index}`, json, [{ bytes, extension: "png" }]);
  }
  await writer.close();
}

function settings(output: string, others: Readonly<Record<string, unknown>> = {}) {
  const json = {
    output: join(root, output),
    data: join(root, "train"),
    validationData: join(root, "heldout"),
    validationSamples: 4,
    autoencoder: join(root, "autoencoder"),
    textTokenizer: { tokens: 280 },
    model: {
      hidden_size: 16,
      intermediate_size: 24,
      num_hidden_layers: 1,
      num_attention_heads: 2,
      num_key_value_heads: 1,
      latent_channels: 4,
      fm_head_dim: 16,
      fm_head_layers: 1,
      fm_head_batch_mul: 2,
    },
    imageSize: SIDE,
    aspectBuckets: false,
    steps: 6,
    batch: 3,
    packing: null,
    captions: "weighted",
    dropText: 0.2,
    readNoise: 1,
    swapTokens: 0.4,
    muon: {},
    loop: { ema: 0.9, validateEvery: 6, sampleEvery: 0, saveEvery: 2, accumulate: 2 },
    engine: { threads: 1 },
    ...others,
  };
  return parseTrainConfig(modelTrainConfigSchema, json, "test");
}

/** Trains until `stopAt` updates are done, then starts anew and goes to the end. */
async function trainInterrupted(config: ReturnType<typeof settings>, stopAt: number): Promise<TrainEvent[]> {
  const stop = new AbortController();
  const onEvent = (event: TrainEvent): void => {
    if (event.type === "step" && event.step === stopAt) stop.abort();
  };
  await expect(trainModel(config, { signal: stop.signal, onEvent })).rejects.toThrow(AbortedError);
  const events: TrainEvent[] = [];
  await trainModel(config, { onEvent: (event) => events.push(event) });
  return events;
}

const weightsOf = (output: string): Promise<Buffer> =>
  readFile(join(root, output, "model", "model.safetensors"));

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "nextstep-model-stage-"));
  await writeData(join(root, "train"), 10);
  await writeData(join(root, "heldout"), 5);
  await mkdir(join(root, "texts"));
  await using writer = new SampleWriter(join(root, "texts"));
  for (const [index, caption] of ["red and green make brown", "blue is the colour of the sky"].entries()) {
    await writer.add(`t${index}`, { caption }, []);
  }
  await writer.close();
  const { config } = parseAutoencoderConfig(autoencoderJson);
  const tensors = initialAutoencoderWeights(autoencoderParameters(config), 1).map(
    ({ name, shape, data }) => [name, float32Tensor(shape, data)] as const,
  );
  await mkdir(join(root, "autoencoder"));
  await writeTorchArchive(join(root, "autoencoder", "checkpoint.pt"), tensorsToWrite(tensors));
  await writeFile(join(root, "autoencoder", "config.json"), JSON.stringify(autoencoderJson));
});

afterAll(() => rm(root, { recursive: true, force: true }));

describe("training of the model", () => {
  it("writes a model in the official layout and reports losses on held-out samples", async () => {
    const events: TrainEvent[] = [];
    const samples = { prompts: ["a red square", "a blue square"], steps: 2 };
    const config = settings("whole", {
      samples,
      loop: { ema: 0.9, validateEvery: 3, sampleEvery: 6, saveEvery: 0, accumulate: 2 },
    });
    const { model: path } = await trainModel(config, { onEvent: (event) => events.push(event) });
    const validations = events.filter((event) => event.type === "validation");
    expect(validations.map(({ step }) => step)).toEqual([0, 3, 6]);
    for (const { metrics } of validations) {
      expect(Object.keys(metrics)).toEqual(
        expect.arrayContaining(["lm_loss", "image_loss", "caption_gap", "ema/image_loss"]),
      );
      expect(metrics.image_loss).toBeGreaterThan(0.5);
      expect(metrics.image_loss).toBeLessThan(3);
    }
    const [drawn] = events.filter((event) => event.type === "samples");
    expect((await readFile(drawn!.path)).subarray(1, 4).toString()).toBe("PNG");
    await using folder = await openModelFolder(new LocalFolder(path));
    expect(folder.problems).toEqual([]);
    expect(folder.config).toMatchObject({ hiddenSize: 16, latentSize: 4, headBatchMultiplier: 2 });
    expect(folder.config.vocabSize).toBeGreaterThan(256);
    expect(folder.autoencoder?.config.latentChannels).toBe(4);
    expect(folder.configJson).toMatchObject({ hw_aspect_ratios_ids: { "2*2": expect.any(Array) } });
  });

  it("ends with the same bits after an interruption, a sample a row", async () => {
    const straight = settings("padded-straight");
    await trainModel(straight);
    const events = await trainInterrupted(settings("padded-broken"), 3);
    expect(events[0]).toMatchObject({ type: "start", step: 3 });
    expect((await weightsOf("padded-broken")).equals(await weightsOf("padded-straight"))).toBe(true);
  });

  it("ends with the same bits after an interruption, in packed rows of pictures and of text", async () => {
    const mixed = {
      packing: { maxLength: 40 },
      batch: 1,
      data: [{ path: join(root, "train") }, { path: join(root, "texts"), type: "nlp", samples: 5 }],
    };
    await trainModel(settings("mixed-straight", mixed));
    await trainInterrupted(settings("mixed-broken", mixed), 3);
    expect((await weightsOf("mixed-broken")).equals(await weightsOf("mixed-straight"))).toBe(true);
  });

  it("learns rows that are drawn staggered, and goes on with the same lag alone", async () => {
    // Three rows are the fewest of which two can be drawn at once.
    const staggered = {
      imageSize: 48,
      rowLag: 1,
      steps: 3,
      samples: { prompts: ["a red square"], steps: 2 },
    };
    await trainModel(settings("staggered-straight", staggered));
    await trainInterrupted(settings("staggered-broken", staggered), 2);
    const straight = await weightsOf("staggered-straight");
    expect((await weightsOf("staggered-broken")).equals(straight)).toBe(true);
    await trainModel(settings("one-by-one", { ...staggered, rowLag: null }));
    expect((await weightsOf("one-by-one")).equals(straight)).toBe(false);
    await expect(trainModel(settings("staggered-broken", { ...staggered, rowLag: 2 }))).rejects.toThrow(
      /rowLag/,
    );
    const settingsOf = async (output: string): Promise<unknown> =>
      JSON.parse(await readFile(join(root, output, "model", "nextstep.json"), "utf8"));
    expect(await settingsOf("staggered-straight")).toMatchObject({
      generation: { cfg: 3, steps: 2, rowLag: 1 },
    });
    expect(await settingsOf("one-by-one")).toMatchObject({ generation: { cfg: 3, steps: 2 } });
  });

  it("lets samples of a row see each other, or not", async () => {
    // Two samples fit into 40 ids, one into 24: there is nothing to isolate in such a row.
    for (const maxLength of [24, 40]) {
      const train = async (isolateSamples: boolean): Promise<Buffer> => {
        const output = `packed-${maxLength}-${isolateSamples}`;
        await trainModel(settings(output, { packing: { maxLength, isolateSamples }, batch: 2 }));
        return weightsOf(output);
      };
      expect((await train(true)).equals(await train(false)), `${maxLength} ids`).toBe(maxLength === 24);
    }
  });

  it("goes on from the weights of a model, whatever is kept of the latents", async () => {
    const start = join(root, "whole", "model");
    const others = { start, textTokenizer: null, model: {}, steps: 2, seed: 7 };
    await trainModel(settings("kept", others));
    await trainModel(settings("encoded-again", { ...others, cacheBytes: 0 }));
    expect((await weightsOf("kept")).equals(await weightsOf("encoded-again"))).toBe(true);
    await using before = await openModelFolder(new LocalFolder(start));
    await using after = await openModelFolder(new LocalFolder(join(root, "kept", "model")));
    const name = "image_in_projector.weight";
    const [old, now] = [await before.tensors.read(name), await after.tensors.read(name)];
    const moved = Math.max(...old.map((value, i) => Math.abs(value - now[i]!)));
    // Two steps of AdamW, the first of rate 0 or not, move no weight further than the rate.
    expect(moved).toBeGreaterThan(0);
    expect(moved).toBeLessThan(1e-3);
  });

  it("leaves out what cannot be used, the same samples after an interruption", async () => {
    const data = join(root, "faulty");
    await mkdir(data);
    await using writer = new SampleWriter(data, 4);
    const picture = (shade: number) =>
      encodePng({ width: SIDE, height: SIDE, data: new Uint8Array(3 * SIDE * SIDE).fill(shade) }, nodeZlib);
    for (let index = 0; index < 8; index++) {
      const bytes = await picture(30 * index);
      await writer.add(`s${index}`, { caption: `shade ${index}` }, [{ bytes, extension: "png" }]);
    }
    await writer.add("empty", { caption: "" }, [{ bytes: await picture(9), extension: "png" }]);
    await writer.add("bare", { caption: "no picture" }, []);
    const bytes = Uint8Array.of(1, 2, 3);
    await writer.add("broken", { caption: "not a picture" }, [{ bytes, extension: "png" }]);
    await writer.close();
    const others = { data, maxFaultyShare: 0.4, steps: 6 };
    const straight: TrainEvent[] = [];
    await trainModel(settings("faulty-straight", others), { onEvent: (event) => straight.push(event) });
    const broken = await trainInterrupted(settings("faulty-broken", others), 3);
    expect((await weightsOf("faulty-broken")).equals(await weightsOf("faulty-straight"))).toBe(true);
    for (const events of [straight, broken]) {
      const faults = events.flatMap((event) => (event.type === "faulty" ? [event.message] : []));
      expect(faults.map((message) => /\.tar: (\w+): /.exec(message)?.[1]).sort()).toEqual([
        "bare",
        "broken",
        "empty",
      ]);
    }
    await expect(trainModel(settings("faulty-refused", { data }))).rejects.toThrow(/maxFaultyShare/);
  });

  it("keeps raw weights as a model beside their average, to start from", async () => {
    const model = join(root, "whole", "model");
    await using averaged = await openModelFolder(new LocalFolder(model));
    await using raw = await openModelFolder(new LocalFolder(join(model, "raw")));
    expect(raw.problems).toEqual([]);
    const name = "image_in_projector.weight";
    expect(await raw.tensors.read(name)).not.toEqual(await averaged.tensors.read(name));
    // A rate of 0 leaves them as they are.
    const others = { start: join(model, "raw"), textTokenizer: null, model: {}, steps: 1, muon: null };
    const loop = { saveEvery: 0, schedule: { name: "constant_with_warmup", warmupSteps: 1 } };
    await trainModel(settings("from-raw", { ...others, loop }));
    await using started = await openModelFolder(new LocalFolder(join(root, "from-raw", "model")));
    expect(await started.tensors.read(name)).toEqual(await raw.tensors.read(name));
  });

  it("leaves frozen parts as they are, and ends with the same bits after an interruption", async () => {
    const start = join(root, "whole", "model");
    const others = {
      start,
      textTokenizer: null,
      model: {},
      rates: { layers: 0, embed_tokens: 0.1 },
      steps: 4,
    };
    await trainModel(settings("parts-straight", others));
    await trainInterrupted(settings("parts-broken", others), 3);
    expect((await weightsOf("parts-broken")).equals(await weightsOf("parts-straight"))).toBe(true);
    await using before = await openModelFolder(new LocalFolder(start));
    await using after = await openModelFolder(new LocalFolder(join(root, "parts-straight", "model")));
    for (const { name } of before.parameters) {
      const [old, now] = [await before.tensors.read(name), await after.tensors.read(name)];
      expect(
        now.every((value, i) => value === old[i]),
        name,
      ).toBe(name.startsWith("layers."));
    }
    const changed = settings("parts-straight", { ...others, rates: { layers: 0 } });
    await expect(trainModel(changed)).rejects.toThrow(/"rates/);
  });

  it("leaves held-out samples out that cannot be used, and stops when they are many", async () => {
    const folder = join(root, "holey");
    await mkdir(folder);
    await using writer = new SampleWriter(folder, 9);
    for (const [key, caption] of [
      ["empty", ""],
      ["broken", "a red square"],
      ["good", "a blue square"],
      ["fine", "a green square"],
    ] as const) {
      const data = new Uint8Array(3 * SIDE * SIDE).fill(caption.length);
      const bytes = await encodePng({ width: SIDE, height: SIDE, data }, nodeZlib);
      await writer.add(key, { caption }, [
        { bytes: key === "broken" ? bytes.subarray(0, 30) : bytes, extension: "png" },
      ]);
    }
    await writer.close();
    const others = {
      validationData: folder,
      validationSamples: 2,
      steps: 1,
      muon: null,
      loop: { validateEvery: 1 },
    };
    const events: TrainEvent[] = [];
    await trainModel(settings("holey-run", { ...others, maxFaultyShare: 0.5 }), {
      onEvent: (event) => events.push(event),
    });
    const faults = events.flatMap((event) => (event.type === "faulty" ? [event.message] : []));
    expect(faults.map((message) => /\.tar: (\w+): /.exec(message)?.[1])).toEqual(["empty", "broken"]);
    expect(events.some(({ type }) => type === "validation")).toBe(true);
    await expect(trainModel(settings("holey-refused", { ...others, maxFaultyShare: 0.25 }))).rejects.toThrow(
      /2 of 4 samples cannot be used/,
    );
  });

  it("refuses edits as pictures with captions, and pictures with captions as edits", async () => {
    const edits = join(root, "edits");
    await mkdir(edits);
    await using writer = new SampleWriter(edits, 4);
    const data = new Uint8Array(3 * SIDE * SIDE).fill(9);
    const bytes = await encodePng({ width: SIDE, height: SIDE, data }, nodeZlib);
    const picture = { bytes, extension: "png" } as const;
    for (let index = 0; index < 3; index++) {
      await writer.add(`e${index}`, { caption: "<image_0>make it red<image_1>" }, [picture, picture]);
    }
    await writer.close();
    const training = (others: Readonly<Record<string, unknown>>) => trainModel(settings("mistaken", others));
    const train = join(root, "train");
    await expect(training({ data: edits })).rejects.toThrow(/^data: its captions have image tags/);
    await expect(training({ data: [{ path: train }, { path: edits }] })).rejects.toThrow(
      /^data\.1\.type: its captions have image tags/,
    );
    await expect(training({ validationData: edits })).rejects.toThrow(
      /^validationData: its captions have image tags/,
    );
    await expect(training({ data: [{ path: train, type: "image_editing" }] })).rejects.toThrow(
      /^data\.0\.type: its captions have no image tags/,
    );
    // Nothing was encoded for what is refused.
    expect(await readdir(join(root, "mistaken"))).toEqual(["tokenizer"]);
    await trainModel(settings("edited", { data: [{ path: edits, type: "image_editing" }], steps: 1 }));
  });

  it("rehearses a run and leaves its folder alone", async () => {
    const config = settings("rehearsed", { packing: { maxLength: 40 }, batch: 1 });
    const before = await readdir(root);
    const found = await rehearseModel(config);
    expect(await readdir(root)).toEqual(before);
    expect(found).toMatchObject({ steps: 6, done: 0, samples: 10, pictures: 10, faulty: [] });
    expect(found.perStep).toMatchObject({ rows: 2, tokens: 80 });
    expect(found.perStep["predicted image tokens"]).toBe(4 * found.perStep.pictures!);
    expect(found.time.measuredSteps).toBeGreaterThanOrEqual(2);
    expect(found.time.totalSeconds).toBeCloseTo(
      6 * found.time.secondsPerStep + found.time.preparationSeconds,
      6,
    );
    expect(await rehearseModel(settings("whole"))).toMatchObject({ steps: 6, done: 6, epochs: 0 });
  });

  it("leaves its drawing settings in the trained folder, or those of its start", async () => {
    const read = async (output: string) =>
      JSON.parse(await readFile(join(root, output, "model", "nextstep.json"), "utf8")) as unknown;
    expect(await read("whole")).toMatchObject({
      generation: { cfg: 3, steps: 2 },
      trained: { sizes: expect.anything(), words: expect.anything() },
    });
    expect(await read("kept")).toEqual(await read("whole"));
  });

  it("refuses to go on with other inputs, by name", async () => {
    const going = (others: Readonly<Record<string, unknown>>) =>
      trainModel(settings("padded-straight", others));
    await expect(going({ data: join(root, "heldout") })).rejects.toThrow(/another "inputs.data"/);
    await expect(going({ textTokenizer: { tokens: 281 } })).rejects.toThrow(/another "textTokenizer.tokens"/);
    await expect(
      trainModel(settings("new-tokenizer", { start: join(root, "whole", "model") })),
    ).rejects.toThrow(/textTokenizer: a newly learned tokenizer/);
  });

  it("refuses to go on with data of the same names and sizes, or with a damaged tokenizer", async () => {
    const data = join(root, "altered");
    await cp(join(root, "train"), data, { recursive: true });
    await trainModel(settings("altered-run", { data, steps: 2 }));
    const tar = join(data, (await readdir(data))[0]!);
    const bytes = await readFile(tar);
    bytes[bytes.indexOf("a red square") + 2] = "b".charCodeAt(0);
    await writeFile(tar, bytes);
    await expect(trainModel(settings("altered-run", { data, steps: 2 }))).rejects.toThrow(
      /another "inputs.data/,
    );
    const added = join(root, "padded-straight", "tokenizer", "added_tokens.json");
    const text = await readFile(added, "utf8");
    await writeFile(added, text.replace("begin", "began"));
    await expect(trainModel(settings("padded-straight"))).rejects.toThrow(
      /added_tokens.json: does not agree/,
    );
    await writeFile(added, text);
  });

  it("does not train on cached latents that were damaged", async () => {
    const cache = join(root, "padded-straight", "latents");
    const copy = join(root, "flipped", "latents");
    await cp(cache, copy, { recursive: true });
    for (const name of (await readdir(copy)).filter((one) => one.endsWith(".safetensors"))) {
      const bytes = await readFile(join(copy, name));
      bytes[bytes.length - 1] = bytes[bytes.length - 1]! ^ 64;
      await writeFile(join(copy, name), bytes);
    }
    await trainModel(settings("flipped"));
    expect((await weightsOf("flipped")).equals(await weightsOf("padded-straight"))).toBe(true);
  });

  it("names what does not fit", async () => {
    expect(() => settings("x", { model: {}, colour: 1 })).toThrow(/unknown key "colour"/);
    await expect(trainModel(settings("no-text", { textTokenizer: null }))).rejects.toThrow(/textTokenizer/);
    const model = { ...settings("y").model, fm_head_width: 3 };
    await expect(trainModel(settings("unknown", { model }))).rejects.toThrow(/model.fm_head_width/);
    const positions = { ...settings("z").model, use_gen_pos_embed: true };
    await expect(trainModel(settings("overruled", { model: positions }))).rejects.toThrow(
      /model.use_gen_pos_embed: is false in training/,
    );
    await expect(trainModel(settings("whole", { seed: 8 }))).rejects.toThrow(/seed/);
  });
});
