/**
 * @file `npm run bench -- NAME [options]`: one JSON object a measurement.
 *
 * Names: head, backbone, vae, train, cold, memory. `--shape published` takes the sizes of the published system, `--shape
 * default` those of the default model; single sizes are options of their own (`--hidden`, `--layers`, ...).
 */
import { parseArgs } from "node:util";
import { parseAutoencoderConfig } from "../src/model/autoencoder-config.ts";
import { LocalEngine } from "../src/runtime/local-engine.ts";
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
const shape = SHAPE_NAMES.find((name) => name === values.shape);
if (shape === undefined) fail(`--shape takes one of ${SHAPE_NAMES.join(", ")}`);
const direction = values.direction === "encode" ? "encode" : "decode";
const [name] = positionals;
const threads = size("threads");
await using engine = new LocalEngine(threads === 0 ? {} : { threads });
const model = () => modelOfShape(shape, given);
const runs = size("runs");

async function run(): Promise<Measurement | MemoryMeasurement> {
  switch (name) {
    case "head":
      return benchHead(engine, model(), {
        steps: size("steps"),
        branches: size("branches"),
        images: size("images"),
        runs,
      });
    case "backbone":
      return benchBackbone(engine, model(), {
        rows: size("rows"),
        tokens: size("tokens"),
        past: size("past"),
        runs,
      });
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
