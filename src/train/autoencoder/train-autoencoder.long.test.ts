/** @file A tiny autoencoder trained from end to end: it learns, repeats bit for bit, and survives being killed. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openTorchArchive } from "../../../test/support/open-torch-archive.ts";
import { decodeImage } from "../../files/decode-image.ts";
import { writeSafetensors } from "../../files/safetensors-files.ts";
import { TarFile } from "../../files/tar-file.ts";
import { nodeZlib } from "../../files/zlib.ts";
import { tensorsToWrite } from "../../formats/tensor-source.ts";
import { encodePng } from "../../image/encode-png.ts";
import { parseAutoencoderConfig } from "../../model/autoencoder-config.ts";
import { autoencoderParameters } from "../../model/parameter-list.ts";
import { CounterRng } from "../../tensor/counter-rng.ts";
import { float32Tensor, toFloat32 } from "../../tensor/tensor.ts";
import type { TrainEvent } from "../loop/train-events.ts";
import { type AutoencoderTrainConfig, autoencoderTrainConfigSchema } from "./autoencoder-train-config.ts";
import { rehearseAutoencoder, trainAutoencoder } from "./train-autoencoder.ts";

const AUTOENCODER = { ch: 4, ch_mult: [1, 2], num_res_blocks: 1, num_groups: 2, z_channels: 4, psz: 2 };
const PICTURES = 12;
const SIDE = 16;

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "autoencoder-"));
  const rng = new CounterRng(1);
  const tar = await TarFile.create(join(folder, "data.tar"));
  for (let index = 0; index < PICTURES; index++) {
    const data = new Uint8Array(3 * SIDE * SIDE).fill(255);
    const colour = [rng.below(256), rng.below(256), rng.below(256)];
    const [top, left] = [rng.below(8), rng.below(8)];
    for (let y = top; y < top + 8; y++) {
      for (let x = left; x < left + 8; x++) data.set(colour, 3 * (y * SIDE + x));
    }
    await tar.add(`p${index}.png`, await encodePng({ width: SIDE, height: SIDE, data }, nodeZlib));
  }
  await tar.close();
});
afterAll(() => rm(folder, { recursive: true }));

const configOf = (output: string, fields: Record<string, unknown> = {}): AutoencoderTrainConfig =>
  autoencoderTrainConfigSchema.parse({
    output: join(folder, output),
    data: join(folder, "data.tar"),
    validationData: join(folder, "data.tar"),
    validationPictures: 5,
    resolution: SIDE,
    autoencoder: AUTOENCODER,
    phases: [
      { crop: 8, batch: 4, steps: 8 },
      { crop: 16, batch: 3, steps: 4 },
    ],
    optimizer: { learningRate: 0.01 },
    loop: { validateEvery: 0, sampleEvery: 0, saveEvery: 2, ema: 0.5, accumulate: 2 },
    engine: { threads: 1 },
    ...fields,
  });

const checkpointOf = (output: string) => readFile(join(folder, output, "model", "vae", "checkpoint.pt"));

// Seconds alone; a training run beside them on the same cores makes it minutes.
describe("trainAutoencoder", { timeout: 300_000 }, () => {
  it("learns to give pictures back and says so", async () => {
    const events: TrainEvent[] = [];
    const config = configOf("learns", {
      phases: [{ crop: 16, batch: 6, steps: 60 }],
      loop: { validateEvery: 30, sampleEvery: 60, saveEvery: 0 },
    });
    await trainAutoencoder(config, { onEvent: (event) => events.push(event) });
    const losses = events.flatMap((event) => (event.type === "step" ? [event.loss] : []));
    expect(losses.at(-1)).toBeLessThan(0.6 * losses[0]!);
    const figures = events.flatMap((event) => (event.type === "validation" ? [event.metrics] : []));
    expect(Object.keys(figures[0]!)).toEqual(["psnr@0", "psnr@0.2", "psnr@0.5", "edges"]);
    expect(figures[1]!["psnr@0"]).toBeGreaterThan(figures[0]!["psnr@0"]!);
    const [sample] = events.flatMap((event) => (event.type === "samples" ? [event.path] : []));
    const grid = await decodeImage(await readFile(sample!), "grid");
    // Five columns; the pictures and three reconstructions; gaps of two pixels.
    expect([grid.width, grid.height]).toEqual([5 * SIDE + 8, 4 * SIDE + 6]);

    const vae = join(folder, "learns", "model", "vae");
    const json = JSON.parse(await readFile(join(vae, "config.json"), "utf8"));
    expect(json).toMatchObject(AUTOENCODER);
    const archive = await openTorchArchive(join(vae, "checkpoint.pt"));
    const expected = autoencoderParameters(parseAutoencoderConfig(json).config);
    expect([...archive.tensors.keys()].sort()).toEqual(expected.map(({ name }) => name).sort());
    await archive.close();
  });

  it("gives the same bits again, and others for another seed", async () => {
    await trainAutoencoder(configOf("a"));
    await trainAutoencoder(configOf("b"));
    await trainAutoencoder(configOf("c", { seed: 7 }));
    expect((await checkpointOf("a")).equals(await checkpointOf("b"))).toBe(true);
    expect((await checkpointOf("a")).equals(await checkpointOf("c"))).toBe(false);
  });

  it("killed at any moment and started again, ends with the same bits", async () => {
    await trainAutoencoder(configOf("straight"));
    const config = configOf("killed");
    // The second kill falls into the second phase.
    for (const step of [3, 9]) await trainAndKill(config, step);
    await trainAutoencoder(config);
    expect((await checkpointOf("killed")).equals(await checkpointOf("straight"))).toBe(true);
    const names = await readdir(join(folder, "killed", "checkpoints"));
    expect(names.sort()).toEqual(["checkpoint-10", "checkpoint-12"]);
    const steps = async (output: string) => {
      const lines = (await readFile(join(folder, output, "log.jsonl"), "utf8")).trimEnd().split("\n");
      return lines.flatMap((line) => {
        const { type, step, loss } = JSON.parse(line);
        return type === "step" ? [[step, loss]] : [];
      });
    };
    expect(await steps("killed")).toEqual(await steps("straight"));
  });

  it("starts from another's weights as they were before averaging, and keeps both", async () => {
    await trainAutoencoder(configOf("first"));
    const model = join(folder, "first", "model");
    const raw = await readFile(join(model, "raw", "vae", "checkpoint.pt"));
    expect(raw.equals(await checkpointOf("first"))).toBe(false);
    // A rate of 0 leaves them as they are.
    const still = { phases: [{ crop: 8, batch: 2, steps: 1 }], loop: { schedule: { warmupSteps: 1 } } };
    await trainAutoencoder(configOf("second", { ...still, start: join(model, "raw") }));
    expect((await checkpointOf("second")).equals(raw)).toBe(true);
    const narrow = { ...still, start: model, autoencoder: { ...AUTOENCODER, ch: 2 } };
    await expect(trainAutoencoder(configOf("third", narrow))).rejects.toThrow(/encoder\.conv_in\.weight/);
  });

  it("goes on with other phases after those that it has taken, as one run", async () => {
    const [first, second] = configOf("x").phases;
    await trainAutoencoder(configOf("whole"));
    await trainAutoencoder(configOf("extended", { phases: [first] }));
    const events: TrainEvent[] = [];
    await trainAutoencoder(configOf("extended"), { onEvent: (event) => events.push(event) });
    expect(events[0]).toMatchObject({ type: "start", step: 8, steps: 12 });
    expect(events[1]).toMatchObject({
      type: "note",
      text: expect.stringMatching(/phases: .* before, .* now/),
    });
    expect((await checkpointOf("extended")).equals(await checkpointOf("whole"))).toBe(true);
    const other = configOf("extended", { phases: [{ ...first, batch: 5 }, second] });
    await expect(trainAutoencoder(other)).rejects.toThrow(/^phases: the run took its first 12 steps/);
  });

  it("refuses to go on from other weights, by name", async () => {
    const start = await startFolder();
    const config = { start, train: "decoder", phases: [{ crop: 8, batch: 2, steps: 1 }] };
    await trainAutoencoder(configOf("fixed", config));
    await trainAutoencoder(configOf("fixed", config));
    const raw = configOf("fixed", { ...config, start: join(start, "raw") });
    await expect(trainAutoencoder(raw)).rejects.toThrow(/another "inputs.start"/);
    const latents = join(folder, "some.safetensors");
    const write = (scale: number) =>
      writeSafetensors(
        latents,
        tensorsToWrite(
          Array.from(
            { length: PICTURES },
            (_, index) => [`p${index}`, float32Tensor([4, 8, 8], new Float32Array(256).fill(scale))] as const,
          ),
        ),
      );
    await write(1);
    const given = configOf("fixed-given", { ...config, latents });
    await trainAutoencoder(given);
    await write(2);
    await expect(trainAutoencoder(given)).rejects.toThrow(/another "inputs.latents"/);
  });

  it("names held-out pictures that cannot be used, and stops when they are many", async () => {
    const path = join(folder, "heldout.tar");
    const tar = await TarFile.create(path);
    for (const key of ["a", "b", "c"]) {
      const data = new Uint8Array(3 * SIDE * SIDE).fill(key.charCodeAt(0));
      const bytes = await encodePng({ width: SIDE, height: SIDE, data }, nodeZlib);
      await tar.add(`${key}.png`, key === "b" ? bytes.subarray(0, 20) : bytes);
    }
    await tar.close();
    const fields = { validationData: path, phases: [{ crop: 8, batch: 2, steps: 1 }] };
    const events: TrainEvent[] = [];
    const loop = { validateEvery: 1, sampleEvery: 1 };
    await trainAutoencoder(configOf("holey", { ...fields, loop, maxFaultyShare: 0.4 }), {
      onEvent: (event) => events.push(event),
    });
    const faulty = events.filter(({ type }) => type === "faulty");
    expect(faulty).toEqual([
      expect.objectContaining({
        message: expect.stringContaining("heldout.tar: b: "),
        faulty: 1,
        samples: 3,
      }),
    ]);
    const [sample] = events.flatMap((event) => (event.type === "samples" ? [event.path] : []));
    expect((await decodeImage(await readFile(sample!), "grid")).width).toBe(2 * SIDE + 2);
    await expect(trainAutoencoder(configOf("full-of-holes", fields))).rejects.toThrow(
      /heldout.tar: 1 of 3 samples cannot be used/,
    );
  });

  it("rehearses every phase and leaves the run folder alone", async () => {
    const config = configOf("rehearsed");
    const before = await readdir(folder);
    const found = await rehearseAutoencoder(config);
    expect(await readdir(folder)).toEqual(before);
    const parameters = autoencoderParameters(parseAutoencoderConfig(AUTOENCODER).config).reduce(
      (sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1),
      0,
    );
    // Weights, gradients, two moments and an average, four bytes each.
    expect(found).toMatchObject({ parameters, steps: 12, done: 0, pictures: PICTURES });
    expect(found.memory.state).toBe(20 * parameters);
    expect(found.memory.peak).toBeGreaterThan(found.memory.state);
    expect(found.epochs).toBeGreaterThan(0);
    expect(found.time.totalSeconds).toBeGreaterThan(found.time.secondsPerStep);
    await trainAutoencoder({ ...config, phases: config.phases.slice(0, 1) });
    expect(await rehearseAutoencoder(config)).toMatchObject({ steps: 12, done: 8 });
  });

  it("trains the decoder alone, on latents from a file if there are any", async () => {
    const start = await startFolder();
    const encoderOf = async (output: string) => weightsOf(join(folder, output, "model", "vae"), "encoder.");
    const decoderOf = async (output: string) => weightsOf(join(folder, output, "model", "vae"), "decoder.");
    await trainAutoencoder(configOf("decoder", { start, train: "decoder" }));
    expect(await encoderOf("decoder")).toEqual(await weightsOf(join(start, "vae"), "encoder."));
    expect(await decoderOf("decoder")).not.toEqual(await weightsOf(join(start, "vae"), "decoder."));

    const tensors = Array.from({ length: PICTURES }, (_, index) => {
      const data = Float32Array.from({ length: 4 * 64 }, (_, i) => Math.sin(i + index));
      return [`p${index}`, float32Tensor([4, 8, 8], data)] as const;
    });
    const latents = join(folder, "latents.safetensors");
    await writeSafetensors(latents, tensorsToWrite(tensors));
    await trainAutoencoder(configOf("given", { start, train: "decoder", latents }));
    expect(await encoderOf("given")).toEqual(await encoderOf("decoder"));
    expect(await decoderOf("given")).not.toEqual(await decoderOf("decoder"));

    await writeSafetensors(latents, tensorsToWrite(tensors.slice(1)));
    const partly = configOf("partly", { start, train: "decoder", latents });
    await expect(trainAutoencoder(partly)).rejects.toThrow(/p0.*there are none/);
    await expect(trainAutoencoder(configOf("x", { train: "decoder" }))).rejects.toThrow(/start/);
    await expect(trainAutoencoder(configOf("x", { latents }))).rejects.toThrow(/encoder learns nothing/);
  });

  it("goes on without the perceptual loss where its file is missing, and says so", async () => {
    const events: TrainEvent[] = [];
    const loss = { perceptual: { file: join(folder, "missing.pth") } };
    const phases = [{ crop: 8, batch: 2, steps: 1 }];
    await trainAutoencoder(configOf("without", { loss, phases }), { onEvent: (event) => events.push(event) });
    expect(events[0]).toMatchObject({
      type: "note",
      text: expect.stringContaining("missing.pth: the perceptual loss is off"),
    });
    const [step] = events.flatMap((event) => (event.type === "step" ? [event.metrics] : []));
    expect(Object.keys(step!)).toEqual(["psnr"]);
  });

  it("refuses crops off the grid and unknown autoencoder keys", async () => {
    const crooked = configOf("x", { phases: [{ crop: 10, batch: 1, steps: 1 }] });
    await expect(trainAutoencoder(crooked)).rejects.toThrow(/phases\.0\.crop: 10 is no multiple of 4/);
    const misspelt = configOf("x", { autoencoder: { ...AUTOENCODER, chanels: 3 } });
    await expect(trainAutoencoder(misspelt)).rejects.toThrow('unknown key "autoencoder.chanels"');
  });
});

/** A model folder of new weights. */
async function startFolder(): Promise<string> {
  await trainAutoencoder(configOf("start", { phases: [{ crop: 8, batch: 2, steps: 1 }] }));
  return join(folder, "start", "model");
}

/** Weights whose names begin so, in the order of the file. */
async function weightsOf(vae: string, prefix: string): Promise<number[][]> {
  const archive = await openTorchArchive(join(vae, "checkpoint.pt"));
  const names = [...archive.tensors.keys()].filter((name) => name.startsWith(prefix));
  const weights: number[][] = [];
  for (const name of names) weights.push([...toFloat32(await archive.readTensor(name))]);
  await archive.close();
  return weights;
}

/** Trains in a process of its own and kills it, without warning, as soon as it reports `step`. */
async function trainAndKill(config: AutoencoderTrainConfig, step: number): Promise<void> {
  const module = new URL("./train-autoencoder.ts", import.meta.url).href;
  const program = `import(${JSON.stringify(module)}).then(({ trainAutoencoder }) =>
    trainAutoencoder(JSON.parse(process.argv[1]), { onEvent: (event) => console.log(JSON.stringify(event)) }));`;
  const child = spawn(process.execPath, ["--import", "tsx", "--eval", program, JSON.stringify(config)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  let reached = false;
  for await (const line of createInterface({ input: child.stdout })) {
    const event = JSON.parse(line);
    if (event.type === "step" && event.step >= step) {
      reached = true;
      child.kill("SIGKILL");
      break;
    }
  }
  await exited;
  expect(reached).toBe(true);
}
