/**
 * @file `npm run bench -- NAME [options]`: one JSON object a measurement.
 *
 * Names: head, backbone, vae, train, cold, memory. `--shape published` (or `14b`) takes the sizes of the published system,
 * `--shape default` those of the default model; single sizes are options of their own (`--hidden`, `--layers`, ...).
 * `--bits 4|8` measures head and backbone in the blocks of a conversion, `--block-size` and `--symmetric` in others;
 * `--model` those of a folder.
 */
import { parseArgs } from "node:util";
import { parseAutoencoderConfig } from "../src/model/autoencoder-config.ts";
import { LocalEngine } from "../src/runtime/node/local-engine.ts";
import { type BoundModel, openBoundModel, openStandIn } from "./block-weights.ts";
import { benchColdStart } from "./cold-start.ts";
import { benchAutoencoder, benchBackbone, benchHead } from "./generation.ts";
import type { Measurement } from "./measure.ts";
import { benchMemory, type MemoryMeasurement } from "./memory.ts";
import { modelOfShape, SHAPE_NAMES, SIZE_OPTIONS } from "./shapes.ts";
import { benchTraining } from "./training.ts";

const AUTOENCODERS = Object.freeze({
  default: { ch: 24, ch_mult: [1, 2, 4, 4], num_res_blocks: 1, num_groups: 8, psz: 2 },
  published: { ch: 128, ch_mult: [1, 2, 4, 4], num_res_blocks: 2, psz: 2 },
});

/** Sizes of the run itself, and what they are unless given. */
const RUN_SIZES = Object.freeze({
  runs: 5,
  threads: 0,
  steps: 20,
  branches: 2,
  images: 1,
  rows: 2,
  tokens: 1,
  past: 128,
  width: 128,
  height: 128,
  pictures: 1,
  batch: 32,
  "text-tokens": 16,
  "image-tokens": 64,
  megabytes: 2000,
  /** Places of the caches; 0: as `past`. */
  capacity: 0,
  /** Of weights in blocks; 0: floats. */
  bits: 0,
  "block-size": 64,
});

function fail(message: string): never {
  process.stderr.write(`bench: ${message}\n`);
  process.exit(2);
}

const numeric = [...SIZE_OPTIONS, ...(Object.keys(RUN_SIZES) as (keyof typeof RUN_SIZES)[])];
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    shape: { type: "string", default: "default" },
    direction: { type: "string", default: "decode" },
    prompt: { type: "string", default: "a red apple" },
    model: { type: "string" },
    symmetric: { type: "boolean", default: false },
    ...Object.fromEntries(numeric.map((name) => [name, { type: "string" as const }])),
  },
});
const given: Record<string, number> = {};
for (const name of numeric) {
  const text: unknown = values[name as keyof typeof values];
  if (text === undefined) continue;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) fail(`--${name} takes a whole number, got "${String(text)}"`);
  given[name] = value;
}
const size = (name: keyof typeof RUN_SIZES): number => given[name] ?? RUN_SIZES[name];
const shapeName = values.shape === "14b" ? "published" : values.shape;
const shape = SHAPE_NAMES.find((name) => name === shapeName);
if (shape === undefined) fail(`--shape takes one of ${SHAPE_NAMES.join(", ")}`);
const direction = values.direction === "encode" ? "encode" : "decode";
const [name] = positionals;
const threads = size("threads");
await using engine = new LocalEngine(threads === 0 ? {} : { threads });
const model = () => modelOfShape(shape, given);
const runs = size("runs");

/** Weights in blocks, where they are asked for. */
async function boundModel(): Promise<BoundModel | undefined> {
  if (values.model !== undefined) return openBoundModel(values.model);
  const [bits, blockSize] = [size("bits"), size("block-size")];
  if (bits === 0) return undefined;
  if (bits !== 4 && bits !== 8) fail("--bits takes 4 or 8");
  if (blockSize !== 32 && blockSize !== 64 && blockSize !== 128) fail("--block-size takes 32, 64 or 128");
  if (shape !== "published") fail("--bits goes with --shape 14b");
  const { layers } = given;
  const blocks = { blockSize, symmetric: values.symmetric } as const;
  return openStandIn({ bits, blocks, ...(layers === undefined ? {} : { layers }) });
}

async function run(): Promise<Measurement | MemoryMeasurement> {
  switch (name) {
    case "head": {
      await using bound = await boundModel();
      const sizes = { steps: size("steps"), branches: size("branches"), images: size("images"), runs };
      return await benchHead(engine, bound?.config ?? model(), sizes, bound);
    }
    case "backbone": {
      await using bound = await boundModel();
      const past = given.capacity ?? size("past");
      const sizes = { rows: size("rows"), tokens: size("tokens"), past, runs };
      return await benchBackbone(engine, bound?.config ?? model(), sizes, bound);
    }
    case "vae": {
      const { config } = parseAutoencoderConfig(AUTOENCODERS[shape as keyof typeof AUTOENCODERS]);
      const sizes = { width: size("width"), height: size("height"), pictures: size("pictures") };
      return benchAutoencoder(engine, config, { direction, ...sizes, runs });
    }
    case "train": {
      const sizes = {
        batch: size("batch"),
        textTokens: size("text-tokens"),
        imageTokens: size("image-tokens"),
      };
      return benchTraining(engine, model(), { ...sizes, runs });
    }
    case "cold":
      return benchColdStart(runs, values.prompt ?? "a red apple");
    case "memory":
      return benchMemory(1e6 * size("megabytes"));
    default:
      return fail(`name one of head, backbone, vae, train, cold, memory`);
  }
}

process.stdout.write(`${JSON.stringify(await run(), null, 2)}\n`);
