/**
 * @file `npm run bench -- NAME [options]`: one JSON object a measurement.
 *
 * `--shape published` (or `14b`) takes the sizes of the published system, `--shape default` those of the default model;
 * single sizes are options of their own (`--hidden`, `--layers`, ...). `--bits 4|8` measures head and backbone in blocks as
 * a conversion makes them, `--block-size` and `--symmetric` in others; `--model` those of a folder.
 */
import { join } from "node:path";
import { refuseUsage, toolOptions, wholeOption } from "../scripts/tool-options.ts";
import { writeStandIn } from "../src/evaluate/stand-in/write-stand-in.ts";
import { parseAutoencoderConfig } from "../src/model/autoencoder-config.ts";
import { defaultModelPath } from "../src/node/default-model.ts";
import { open } from "../src/node/open-model.ts";
import { LocalEngine } from "../src/runtime/node/local-engine.ts";
import { type AdapterMeasurement, benchAdapters } from "./adapters.ts";
import { type BoundModel, openBoundModel, openStandIn } from "./block-weights.ts";
import { benchColdStart } from "./cold-start.ts";
import { benchAutoencoder, benchBackbone, benchHead } from "./generation.ts";
import type { Measurement } from "./measure.ts";
import { benchMemory, type MemoryMeasurement } from "./memory.ts";
import { PeerMissingError } from "./peer/llama-cpp.ts";
import { benchPeer, FEW_LAYERS, type PeerMeasurement } from "./peer/peer.ts";
import { benchServe, type ServeMeasurement } from "./serve.ts";
import { modelOfShape, SHAPE_NAMES, SIZE_OPTIONS } from "./shapes.ts";
import { benchSharedQueue, type SharedMeasurement } from "./shared-queue.ts";
import { type SoakMeasurement, soak } from "./soak/soak.ts";
import { TemporaryFolder } from "./temporary-folder.ts";
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
  /** Of a picture's last token; 0: as `steps`. */
  "last-steps": 0,
  branches: 2,
  images: 1,
  rows: 2,
  tokens: 1,
  past: 128,
  width: 128,
  height: 128,
  pictures: 1,
  /** Of a server, for each place. */
  jobs: 2,
  /** Under mixed load, and how many come at once. */
  minutes: 30,
  clients: 8,
  batch: 32,
  "text-tokens": 16,
  "image-tokens": 64,
  megabytes: 2000,
  /** Places of the caches; 0: as `past`. */
  capacity: 0,
  /** Of an adapter; 0: none is trained, and drawings have 16. */
  rank: 0,
  /** Of weights in blocks; 0: floats. */
  bits: 0,
  "block-size": 64,
});

/** Of `peer`, where others differ. */
const PEER_SIZES = Object.freeze({ runs: 30, past: 640, layers: 4 });

/** Of a stand-in that is served. */
const SERVED_LAYERS = 2;
/** Of a server, unless given. */
const SERVED_ROUNDS = 3;

/** What is measured, and the sizes of a run that it takes. */
const BENCHMARKS = Object.freeze({
  head: "the sampler of one token (--steps, --last-steps, --branches, --images)",
  backbone: "the transformer behind a cache (--rows, --tokens, --past)",
  vae: "the autoencoder (--direction, --width, --height, --pictures)",
  train:
    "an update of training (--batch, --text-tokens, --image-tokens), of an adapter with --rank, --checkpointing",
  adapters: "pictures with an adapter each, in one batch and one by one (--pictures, --rank, --model)",
  cold: "process start to PNG (--prompt)",
  memory: "what bound weights take (--megabytes), and drawings beside their estimate (--model)",
  serve:
    "pictures a minute of a server's worker, 1 to 16 at once (--width, --height, --steps, --jobs, --runs, --model)",
  soak: "the built server under mixed load, and what it holds all along (--minutes, --clients, --model)",
  "shared-queue":
    "one built server beside two on one PostgreSQL, which must be installed (--clients, --jobs, --steps, --runs, --threads)",
  peer: "a layer of 4 bits beside llama.cpp's, which is installed apart (--rows, --past, --layers)",
});
type BenchmarkName = keyof typeof BENCHMARKS;
const NAMES = Object.keys(BENCHMARKS) as readonly BenchmarkName[];
const DIRECTIONS = ["decode", "encode"] as const;
const TEXTS = Object.freeze({ shape: "default", direction: "decode", prompt: "a red apple" });

const HELP = `
Usage: npm run bench -- NAME [options]

Measures one part and prints a JSON object.

Names:
${NAMES.map((name) => `  ${name.padEnd(14)}${BENCHMARKS[name]}`).join("\n")}

Options:
  --shape NAME      ${SHAPE_NAMES.join(" or ")} (default: ${TEXTS.shape})
  --direction NAME  ${DIRECTIONS.join(" or ")} (default: ${TEXTS.direction})
  --prompt TEXT     (default: ${TEXTS.prompt})
  --model FOLDER    weights of head and backbone (default: at random); of memory, what draws (default: the package's)
  --symmetric       blocks without zero points
  --replay          the transformer's tokens as those of staggered rows are read
  --checkpointing   of an update: layers are computed anew for the gradient
${Object.entries(RUN_SIZES)
  .map(
    ([name, value]) =>
      `  ${`--${name} N`.padEnd(18)}(default: ${name === "threads" ? "all processors" : value})`,
  )
  .join("\n")}

  of peer: ${Object.entries(PEER_SIZES)
    .map(([name, value]) => `--${name} ${value}`)
    .join(", ")}

Sizes of the model, by default those of --shape:
  ${SIZE_OPTIONS.map((name) => `--${name}`).join(", ")}`;

const numeric = [...SIZE_OPTIONS, ...(Object.keys(RUN_SIZES) as (keyof typeof RUN_SIZES)[])];
const { values, positionals } = toolOptions("bench", HELP, {
  allowPositionals: true,
  options: {
    shape: { type: "string", default: TEXTS.shape },
    direction: { type: "string", default: TEXTS.direction },
    prompt: { type: "string", default: TEXTS.prompt },
    model: { type: "string" },
    symmetric: { type: "boolean", default: false },
    replay: { type: "boolean", default: false },
    checkpointing: { type: "boolean", default: false },
    ...Object.fromEntries(numeric.map((name) => [name, { type: "string" as const }])),
  },
});
const given: Record<string, number> = {};
for (const name of numeric) {
  const text: unknown = values[name as keyof typeof values];
  if (typeof text === "string") given[name] = wholeOption("bench", name, text);
}
const size = (name: keyof typeof RUN_SIZES): number => given[name] ?? RUN_SIZES[name];
const shapeName = values.shape === "14b" ? "published" : values.shape;
const shape =
  SHAPE_NAMES.find((name) => name === shapeName) ??
  refuseUsage("bench", `--shape takes one of ${SHAPE_NAMES.join(", ")}`);
const direction =
  DIRECTIONS.find((name) => name === values.direction) ??
  refuseUsage("bench", `--direction takes one of ${DIRECTIONS.join(", ")}`);
const [asked = "", ...more] = positionals;
const name =
  NAMES.find((known) => known === asked) ??
  refuseUsage("bench", `"${asked}" is no benchmark: name one of ${NAMES.join(", ")}`);
if (more.length > 0) refuseUsage("bench", `one benchmark at a time, not ${positionals.join(", ")} together`);
const threads = size("threads");
// As a model is opened: what is measured is what drawing takes.
await using engine = new LocalEngine({ spin: false, ...(threads === 0 ? {} : { threads }) });
const model = () => modelOfShape(shape, given);
const runs = size("runs");

function blockSize(): 32 | 64 | 128 {
  const chosen = size("block-size");
  if (chosen === 32 || chosen === 64 || chosen === 128) return chosen;
  return refuseUsage("bench", "--block-size takes 32, 64 or 128");
}

/** Weights in blocks, where they are asked for. Of a stand-in only so many layers are written; default: all. */
async function boundModel(layers: number | undefined): Promise<BoundModel | undefined> {
  if (values.model !== undefined) return openBoundModel(values.model);
  const bits = size("bits");
  if (bits === 0) return undefined;
  if (bits !== 4 && bits !== 8) refuseUsage("bench", "--bits takes 4 or 8");
  if (shape !== "published") refuseUsage("bench", "--bits goes with --shape 14b");
  const blocks = { blockSize: blockSize(), symmetric: values.symmetric } as const;
  return openStandIn({ bits, blocks, ...(layers === undefined ? {} : { layers }) });
}

/** Layers of the published sizes, or of `--model`, in 4 bits on both sides. */
async function peer(): Promise<PeerMeasurement> {
  const [bits = 4, layers = PEER_SIZES.layers] = [given.bits, given.layers];
  if (bits !== 4) refuseUsage("bench", "peer takes 4 bits");
  if (layers <= FEW_LAYERS) refuseUsage("bench", `peer takes --layers above ${FEW_LAYERS}`);
  const blocks = { blockSize: blockSize(), symmetric: values.symmetric } as const;
  const { model } = values;
  const open = () => (model === undefined ? openStandIn({ bits: 4, blocks, layers }) : openBoundModel(model));
  const past = given.capacity ?? given.past ?? PEER_SIZES.past;
  const rounds = given.runs ?? PEER_SIZES.runs;
  const sizes = { rows: size("rows"), past, layers, rounds, threads: threads || undefined };
  try {
    return await benchPeer(engine, open, sizes);
  } catch (error) {
    if (error instanceof PeerMissingError) refuseUsage("bench", error.message);
    throw error;
  }
}

/** The default model, that of `--model`, or a stand-in of the published sizes in 4 bits with few layers. */
async function serve(): Promise<ServeMeasurement> {
  const native = { width: size("width"), height: size("height") };
  const options = { maxPictures: 16, promptBytes: 2 ** 30, ...(threads === 0 ? {} : { threads }) };
  const rounds = given.runs ?? SERVED_ROUNDS;
  const sizes = { native, asked: native, steps: size("steps"), jobsEach: size("jobs"), rounds };
  const measureModel = (path: string | undefined) =>
    benchServe(
      () => open(path, options),
      sizes,
      (level) => process.stderr.write(`${JSON.stringify(level)}\n`),
    );
  if (values.model !== undefined || shape !== "published") return measureModel(values.model);
  await using folder = await TemporaryFolder.create();
  const path = join(folder.path, "model");
  await writeStandIn(path, { shape: "14b", bits: 4, layers: given.layers ?? SERVED_LAYERS });
  return await measureModel(path);
}

/** What each of them prints. */
type Printed =
  | AdapterMeasurement
  | Measurement
  | MemoryMeasurement
  | PeerMeasurement
  | ServeMeasurement
  | SharedMeasurement
  | SoakMeasurement;

async function run(): Promise<Printed> {
  switch (name) {
    case "head": {
      // The head needs no layers, and a model has one at least.
      await using bound = await boundModel(1);
      const steps = size("steps");
      const lastSteps = size("last-steps") || steps;
      if (lastSteps > steps) refuseUsage("bench", "--last-steps is at most --steps");
      const sizes = { steps, lastSteps, branches: size("branches"), images: size("images"), runs };
      return await benchHead(engine, bound?.config ?? model(), sizes, bound);
    }
    case "backbone": {
      await using bound = await boundModel(given.layers);
      const past = given.capacity ?? size("past");
      const sizes = { rows: size("rows"), tokens: size("tokens"), past, runs, replay: values.replay };
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
        rank: size("rank"),
        gradientCheckpointing: values.checkpointing,
      };
      return benchTraining(engine, model(), { ...sizes, runs });
    }
    case "adapters":
      return benchAdapters({
        ...{ model: values.model ?? defaultModelPath(), adapters: given.pictures ?? 8 },
        ...{ rank: given.rank ?? 16, runs: given.runs ?? 3, threads },
      });
    case "cold":
      return benchColdStart(runs, values.prompt ?? TEXTS.prompt);
    case "memory":
      return benchMemory({
        bytes: 1e6 * size("megabytes"),
        model: values.model ?? defaultModelPath(),
        threads,
      });
    case "serve":
      return serve();
    case "soak":
      return soak(
        {
          minutes: size("minutes"),
          clients: size("clients"),
          threads: threads || undefined,
          model: values.model,
        },
        (look) => process.stderr.write(`${JSON.stringify(look)}\n`),
      );
    case "shared-queue":
      return benchSharedQueue({
        clients: size("clients"),
        jobsEach: size("jobs"),
        rounds: given.runs ?? SERVED_ROUNDS,
        threads: threads || 1,
        steps: size("steps"),
        model: values.model,
      });
    case "peer":
      return peer();
  }
}

process.stdout.write(`${JSON.stringify(await run(), null, 2)}\n`);
