/** @file JSON that people write by hand or get with a model: recipes, configurations, training configs. */

import { nodeZlib } from "../../src/files/zlib.ts";
import { MemorySource } from "../../src/formats/byte-source.ts";
import { crc32 } from "../../src/formats/crc32.ts";
import { readJson } from "../../src/formats/json-file.ts";
import { isPng } from "../../src/formats/png.ts";
import { findPngText, RECIPE_KEYWORD, readPngTexts, setPngTexts } from "../../src/formats/png-text.ts";
import { parseDefaultSettings } from "../../src/generate/default-settings.ts";
import { notesOn } from "../../src/generate/drawing-notes.ts";
import { encodeJob, parseJob } from "../../src/generate/job-format.ts";
import { parseRecipe } from "../../src/generate/recipe.ts";
import { PLAIN_SETTINGS } from "../../src/generate/settings.ts";
import { parseTrainedOn } from "../../src/generate/trained-on.ts";
import { parseAutoencoderConfig } from "../../src/model/autoencoder-config.ts";
import { parseNextStepConfig, toConfigJson } from "../../src/model/config.ts";
import { autoencoderParameters, modelParameters } from "../../src/model/parameter-list.ts";
import { autoencoderTrainConfigSchema } from "../../src/train/autoencoder/autoencoder-train-config.ts";
import { parseTrainConfig } from "../../src/train/loop/train-config.ts";
import { modelTrainConfigSchema } from "../../src/train/model/model-train-config.ts";
import { type FuzzTarget, FuzzViolation, fixture, jsonWords, repairPng } from "./target.ts";

const json = (bytes: Uint8Array): Promise<unknown> => readJson(new MemorySource(bytes, "fuzzed.json"));

const RECIPE = {
  version: 1,
  model: "default",
  prompt: "猫",
  seed: 7,
  width: 128,
  height: 96,
  settings: PLAIN_SETTINGS,
  images: [{ sha256: "0".repeat(64), width: 16, height: 16 }],
};
const LATEST_RECIPE = {
  ...RECIPE,
  version: 2,
  modelDigest: "f".repeat(64),
  threads: 2,
  kept: { cells: [[0, 2]], sha256: "0".repeat(64), tokens: "AAAA" },
};

/** A drawing of two pictures, of which one has passed cells, with an input image and kept tokens. */
export function job(): FuzzTarget {
  const { images, ...plain } = RECIPE;
  const tokens = new Float32Array(8).fill(0.5);
  const bytes = encodeJob({
    job: {
      grid: [2, 2],
      tokenWidth: 4,
      images: images.map((image) => ({ ...image, tokens })),
      pictures: [
        {
          recipe: parseRecipe(JSON.stringify(plain), "seed"),
          notes: [{ kind: "size", text: "unknown" }],
          tokens,
        },
        {
          recipe: parseRecipe(JSON.stringify(LATEST_RECIPE), "seed"),
          notes: [],
          kept: tokens,
          tokens: new Float32Array(),
        },
      ],
    },
    own: { folder: "/", out: { kind: "folder", path: "." }, preview: true },
  });
  return {
    name: "job",
    seeds: [bytes],
    words: jsonWords('"grid":[', '"tokenWidth":', '"images":[', '"pictures":[', '"kept":', "1e9", "-1"),
    run: async (given) => {
      const { job: found, own, dropped } = parseJob(given, "fuzzed.job");
      const numbers = found.pictures.flatMap(({ tokens: passed }) => [...passed]);
      if (!numbers.every(Number.isFinite)) throw new FuzzViolation("a token is not finite");
      const again = parseJob(encodeJob({ job: found, own }), "fuzzed.job");
      if (dropped < 0 || again.dropped !== 0) throw new FuzzViolation("a job does not read back");
    },
    repair: repairJob,
  };
}

/** Right checksums behind the magic, as far as the lengths lead. */
function repairJob(given: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(given);
  const view = new DataView(bytes.buffer);
  for (let at = 8; at + 8 <= bytes.length; ) {
    const length = view.getUint32(at, true);
    if (length > bytes.length - at - 8) break;
    view.setUint32(at + 4, crc32(bytes.subarray(at + 8, at + 8 + length)), true);
    at += 8 + length;
  }
  return bytes;
}

/** As text of its own, and in a picture, as `nextstep again` reads it. */
export async function recipe(): Promise<FuzzTarget> {
  const text = JSON.stringify(RECIPE);
  const plain = JSON.stringify({ ...RECIPE, prompt: "cat", images: undefined });
  const picture = await fixture("test/parity/cases/edit-input.png");
  return {
    name: "recipe",
    seeds: [
      Buffer.from(text),
      Buffer.from(JSON.stringify(LATEST_RECIPE)),
      setPngTexts(picture, [{ keyword: RECIPE_KEYWORD, text }]),
      setPngTexts(picture, [{ keyword: RECIPE_KEYWORD, text: plain }]),
    ],
    words: jsonWords(
      '"version":1',
      '"seed":',
      '"settings":{',
      '"cfg":',
      "1e9",
      "-1",
      '"sampler":"sde"',
      '"kept":{"cells":[[',
      "nextstep\0",
    ),
    run: async (bytes) => {
      const found = isPng(bytes)
        ? findPngText(await readPngTexts(bytes, nodeZlib), RECIPE_KEYWORD)
        : new TextDecoder().decode(bytes);
      if (found === undefined) return;
      const { width, height, seed, threads = 1, kept } = parseRecipe(found, "fuzzed.png");
      const numbers = [width, height, seed, threads, ...(kept?.cells.flat() ?? [])];
      if (!numbers.every(Number.isSafeInteger)) throw new FuzzViolation("a number is none");
    },
    repair: (bytes) => (isPng(bytes) ? repairPng(bytes) : bytes),
  };
}

export async function modelConfig(): Promise<FuzzTarget> {
  const seeds = ["v1", "v1.1", "train"].map((name) => fixture(`test/parity/models/${name}/config.json`));
  return {
    name: "model configuration",
    seeds: await Promise.all(seeds),
    words: jsonWords(
      '"hidden_size":',
      '"head_dim":',
      '"rope_scaling":{',
      '"layer_types":[',
      "2147483648",
      "1024",
    ),
    run: async (bytes) => {
      const { config } = parseNextStepConfig(await json(bytes));
      const again = parseNextStepConfig(toConfigJson(config)).config;
      if (JSON.stringify(again) !== JSON.stringify(config)) throw new FuzzViolation("does not come back");
      for (const { name, shape } of modelParameters(config)) checkShape(name, shape);
    },
  };
}

export async function autoencoderConfig(): Promise<FuzzTarget> {
  const seeds = ["v1", "v1.1"].map((name) => fixture(`test/parity/models/${name}/vae/config.json`));
  return {
    name: "autoencoder configuration",
    seeds: [...(await Promise.all(seeds)), await fixture("models/default/vae/config.json")],
    words: jsonWords(
      '"ch_mult":[',
      '"ch":',
      '"num_groups":',
      '"psz":',
      '"pixel_shuffle":',
      "2147483648",
      "1024",
      "16",
    ),
    run: async (bytes) => {
      const { config } = parseAutoencoderConfig(await json(bytes));
      for (const { name, shape } of autoencoderParameters(config)) checkShape(name, shape);
    },
  };
}

function checkShape(name: string, shape: readonly number[]): void {
  if (!shape.every((size) => Number.isSafeInteger(size) && size > 0)) {
    throw new FuzzViolation(`parameter "${name}" has shape [${shape.join(", ")}]`);
  }
}

export async function settings(): Promise<FuzzTarget> {
  return {
    name: "settings",
    seeds: [
      await fixture("models/default/nextstep.json"),
      Buffer.from(JSON.stringify({ editing: PLAIN_SETTINGS })),
    ],
    words: jsonWords('"generation":{', '"editing":{', '"trained":{', '"sizes":[[', '"cfg":', "-1", "1e9"),
    run: async (bytes) => {
      const given = await json(bytes);
      parseDefaultSettings(given, "nextstep.json", "v1.1");
      notesOn("a red dogg", [128, 96], parseTrainedOn(given, "nextstep.json"));
    },
  };
}

export async function trainingConfig(): Promise<FuzzTarget> {
  const seeds = ["autoencoder", "model", "model-second"].map((name) => fixture(`configs/${name}.json`));
  return {
    name: "training configuration",
    seeds: await Promise.all(seeds),
    words: jsonWords(
      '"phases":[',
      '"data":[{"path":"a"}]',
      '"loop":{',
      '"captions":{',
      '"model":{',
      "0.5",
      "-1",
      "1e9",
    ),
    run: async (bytes) => {
      const parsed = await json(bytes);
      const isModel = typeof parsed === "object" && parsed !== null && "steps" in parsed;
      if (isModel) parseTrainConfig(modelTrainConfigSchema, parsed, "fuzzed.json");
      else parseTrainConfig(autoencoderTrainConfigSchema, parsed, "fuzzed.json");
    },
  };
}
