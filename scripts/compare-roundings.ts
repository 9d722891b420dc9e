/**
 * @file `npm run compare-roundings -- [MODEL] [SIDE]`: how far a model's weights and the tokens that it draws are off in
 * blocks of every kind. Tokens are compared where all before them are those of the float model, with the same noise; their
 * error is that of the root mean square by that of the float model's tokens. A line of JSON each.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openModelFolder } from "../src/checkpoint/model-folder.ts";
import { conversionFormats } from "../src/checkpoint/quantized/conversion-formats.ts";
import type { FormatTable } from "../src/checkpoint/quantized/nextstep-layout.ts";
import { LocalFolder } from "../src/files/local-folder.ts";
import type { BlockFit } from "../src/model/block-quantization.ts";
import { modelParameters } from "../src/model/parameter-list.ts";
import type { BlockFormat } from "../src/model/weight-format.ts";
import { defaultModelPath } from "../src/node/default-model.ts";
import { open } from "../src/node/open-model.ts";
import { writeBlocks } from "../test/support/write-blocks.ts";

const PROMPTS = ["a red apple", "a dog", "a green car", "a fish", "a blue book", "a yellow star"];
/** Parts of the way through a picture at which a token is drawn anew. */
const PLACES = [0, 0.1, 0.3, 0.5, 0.75, 1];
const [source = defaultModelPath(), side = "128"] = process.argv.slice(2);
const size = { width: Number(side), height: Number(side) };
const settings = { seed: 5, size };

const rms = (values: Iterable<number>): number => {
  let [sum, count] = [0, 0];
  for (const value of values) {
    sum += value ** 2;
    count++;
  }
  return Math.sqrt(sum / count);
};

async function drawAll(): Promise<{ tokens: Float32Array; cells: number; width: number }> {
  await using model = await open(source);
  const pictures = await model.draw(PROMPTS, settings);
  const [first] = pictures;
  const cells = first!.grid[0] * first!.grid[1];
  const length = first!.tokens.length;
  const tokens = new Float32Array(PROMPTS.length * length);
  pictures.forEach((picture, i) => {
    tokens.set(picture.tokens, i * length);
  });
  return { tokens, cells, width: length / cells };
}

/** Error of the tokens that a folder's model draws. */
async function tokenError(folder: string, float: Awaited<ReturnType<typeof drawAll>>): Promise<number> {
  const { tokens, cells, width } = float;
  await using model = await open(folder);
  const differences: number[] = [];
  for (const part of PLACES) {
    const cell = Math.round(part * (cells - 1));
    const mask = new Uint8Array(PROMPTS.length * cells).map((_, i) => (i % cells === cell ? 0 : 1));
    const keep = { data: tokens, shape: [PROMPTS.length, cells, width] as [number, number, number], mask };
    const pictures = await model.draw(PROMPTS, { ...settings, keep });
    pictures.forEach((picture, i) => {
      for (let k = cell * width; k < (cell + 1) * width; k++) {
        differences.push(picture.tokens[k]! - tokens[i * cells * width + k]!);
      }
    });
  }
  return rms(differences) / rms(tokens);
}

/** Error of the weights of the layers. */
async function weightError(folder: string, formats: FormatTable): Promise<number> {
  await using before = await openModelFolder(new LocalFolder(source));
  await using after = await openModelFolder(new LocalFolder(folder));
  let [error, total] = [0, 0];
  for (const name of after.tensors.quantized?.matrices.keys() ?? []) {
    if (!name.startsWith("layers.") && Object.keys(formats).some((key) => key.startsWith("layers.")))
      continue;
    const [values, kept] = [await before.tensors.read(name), await after.tensors.read(name)];
    values.forEach((value, i) => {
      error += (value - kept[i]!) ** 2;
      total += value ** 2;
    });
  }
  return Math.sqrt(error / total);
}

const float = await drawAll();
await using folder = await openModelFolder(new LocalFolder(source));
const usual = conversionFormats(4, modelParameters(folder.config));

function withLayers(format: BlockFormat, sensitive?: Partial<BlockFormat>): FormatTable {
  return Object.fromEntries(
    Object.entries(usual).map(([pattern, known]) => [
      pattern,
      pattern.startsWith("layers.") ? format : { ...known, ...sensitive },
    ]),
  );
}

const only = (formats: FormatTable, part: RegExp): FormatTable =>
  Object.fromEntries(Object.entries(formats).filter(([pattern]) => part.test(pattern)));

const variants: (readonly [name: string, formats: FormatTable, fit: BlockFit])[] = [];
for (const blockSize of [32, 64, 128] as const) {
  for (const symmetric of [false, true]) {
    for (const fit of ["nearest", "search"] as const) {
      const format = { bits: 4, blockSize, symmetric } as const;
      variants.push([
        `layers ${blockSize} ${symmetric ? "symmetric" : "asymmetric"} ${fit}`,
        withLayers(format),
        fit,
      ]);
    }
  }
}
const layers = { bits: 4, blockSize: 64, symmetric: false } as const;
const eight = { ...layers, bits: 8 } as const;
variants.push(
  ["8 bits", withLayers(eight), "nearest"],
  ["layers alone in 8 bits", only(withLayers(eight), /^layers/), "nearest"],
  ["layers alone in 4 bits", only(withLayers(layers), /^layers/), "search"],
  ["image head alone in 8 bits", only(usual, /^image_head/), "nearest"],
  ["image head alone in 4 bits", only(withLayers(layers, { bits: 4 }), /^image_head/), "search"],
  ["image_out_projector alone in 8 bits", only(usual, /^image_out/), "nearest"],
  ["embeddings alone in 8 bits", only(usual, /^embed/), "nearest"],
  ["embeddings alone in 4 bits", only(withLayers(layers, { bits: 4 }), /^embed/), "search"],
  ["down_proj in 8 bits", { ...withLayers(layers), "layers.*.mlp.down_proj.weight": eight }, "search"],
);
const scratch = await mkdtemp(join(tmpdir(), "nextstep-roundings-"));
try {
  for (const [i, [name, formats, fit]] of variants.entries()) {
    const target = join(scratch, String(i));
    await writeBlocks(source, target, formats, fit);
    const errors = { weights: await weightError(target, formats), tokens: await tokenError(target, float) };
    process.stdout.write(`${JSON.stringify({ name, ...errors })}\n`);
    await rm(target, { recursive: true });
  }
} finally {
  await rm(scratch, { recursive: true });
}
