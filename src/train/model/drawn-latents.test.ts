import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openModelFolder } from "../../checkpoint/model-folder.ts";
import { AbortedError, ConfigError } from "../../errors.ts";
import { LocalFolder } from "../../files/local-folder.ts";
import { nodeZlib } from "../../files/zlib.ts";
import { encodePng } from "../../image/encode-png.ts";
import { patchify } from "../../image/patchify.ts";
import { pixelsPerLatent } from "../../model/autoencoder-config.ts";
import { defaultModelPath } from "../../node/default-model.ts";
import { LocalEngine } from "../../runtime/node/local-engine.ts";
import { GivenLatents } from "../autoencoder/given-latents.ts";
import { TarDataset } from "../data/dataset-reader.ts";
import { SampleWriter } from "../data/sample-writer.ts";
import { TrueCanvas, writeDrawnLatents } from "./drawn-latents.ts";
import { PictureEncoder } from "./picture-encoder.ts";

let root = "";
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "drawn-"));
  await mkdir(join(root, "data"));
  await using writer = new SampleWriter(join(root, "data"));
  for (const [index, colour] of (["red", "blue", "green"] as const).entries()) {
    const data = new Uint8Array(3 * 64 * 64).fill(255);
    // A square of one colour that fills the left half.
    for (let i = 0; i < data.length; i++) if (i % 192 < 96 && i % 3 !== index) data[i] = 0;
    const bytes = await encodePng({ width: 64, height: 64, data }, nodeZlib);
    await writer.add(colour, { caption: `a ${colour} square` }, [{ bytes, extension: "png" }]);
  }
  await writer.close();
});
afterAll(async () => {
  await rm(root, { recursive: true, force: true });
});

const distance = (a: Float32Array, b: Float32Array): number =>
  a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0) / a.length;

it("draws along real pictures, at the model's own size", async () => {
  const options = { model: defaultModelPath(), data: join(root, "data"), pictures: 2, seed: 3, threads: 1 };
  const out = join(root, "out");
  expect(await writeDrawnLatents({ ...options, out })).toEqual({ folder: out, pictures: 2 });

  await using engine = new LocalEngine({ threads: 1, spin: false });
  await using model = await openModelFolder(new LocalFolder(options.model));
  const { latentSize, latentChannels: channels, latentPatchSize: patch } = model.config;
  await using chosen = await TarDataset.open(join(out, "train"));
  const shape = [channels, latentSize, latentSize];
  await using drawn = await GivenLatents.open(join(out, "latents.safetensors"), chosen, shape);
  const imageSize = latentSize * pixelsPerLatent(model.autoencoder!.config);
  const encoder = await PictureEncoder.create(engine, model.autoencoder!, {
    ...{ patch, imageSize, aspectBuckets: false, matchSizes: false },
  });
  const pictures = [await chosen.imagesAt(0), await chosen.imagesAt(1)];
  const [first, second] = (await encoder.encode(pictures)).map(([picture]) => picture!.tokens);
  const grid = [latentSize / patch, latentSize / patch] as const;
  const tokens = patchify(await drawn.at(0), { images: 1, channels, grid, patch });
  // Drawn by the model, and yet of this picture: each token followed the true ones.
  expect(distance(tokens, first!)).toBeGreaterThan(0);
  expect(distance(tokens, first!)).toBeLessThan(distance(tokens, second!));
});

it("notes what is drawn at its cell, in the order in which the model draws", () => {
  const tokens = Float32Array.from({ length: 9 }, (_, cell) => cell);
  const canvas = new TrueCanvas({ grid: [3, 3], tokens }, 1, 1);
  while (!canvas.complete) canvas.sample(Float32Array.of(100 + canvas.order.cellAt(canvas.next)));
  expect(canvas.order.staggered).toBe(true);
  expect(canvas.drawn).toEqual(tokens.map((cell) => 100 + cell));
  expect(canvas.cells()).toEqual(tokens);
});

it("leaves nothing behind when it is stopped, and refuses to draw nothing", async () => {
  const options = { model: defaultModelPath(), data: join(root, "data"), out: join(root, "stopped") };
  const signal = AbortSignal.abort();
  await expect(writeDrawnLatents({ ...options, pictures: 2, signal })).rejects.toThrow(AbortedError);
  await expect(writeDrawnLatents({ ...options, pictures: 0 })).rejects.toThrow(ConfigError);
  expect((await readdir(root)).sort()).toEqual(["data", "out"]);
});
