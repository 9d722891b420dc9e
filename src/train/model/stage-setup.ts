/** @file What model training is set up from: text tokenizer, configuration, optimizer. */
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { AutoencoderFolder } from "../../checkpoint/autoencoder-folder.ts";
import type { ModelFolder } from "../../checkpoint/model-folder.ts";
import { ConfigError, ModelFormatError } from "../../errors.ts";
import { LocalFolder } from "../../files/local-folder.ts";
import { pixelsPerLatent } from "../../model/autoencoder-config.ts";
import { type NextStepConfig, parseNextStepConfig, toConfigJson } from "../../model/config.ts";
import type { Engine } from "../../runtime/engine.ts";
import { createTokenizer, type TextTokenizer } from "../../sequence/tokenizer.ts";
import { readTokenizerFiles, withImageTokens } from "../../sequence/tokenizer-files.ts";
import type { TarDataset } from "../data/dataset-reader.ts";
import { SampleError } from "../data/sample-error.ts";
import { writeFolder } from "../loop/written-folder.ts";
import { adamW } from "../optimizer/adamw.ts";
import { muon } from "../optimizer/muon.ts";
import { combineOptimizers, type Optimizer, type ParameterGroup } from "../optimizer/optimizer.ts";
import type { Trainable } from "../optimizer/trainable.ts";
import { isDecayed } from "../optimizer/weight-decay.ts";
import { trainTextTokenizer } from "../text-tokenizer/byte-pair-training.ts";
import { tokenizerFileTexts } from "../text-tokenizer/tokenizer-writer.ts";
import type { ModelTrainConfig } from "./model-train-config.ts";
import { rateOf } from "./part-rates.ts";

/** Matrices that Muon takes when it is on: backbone layers and the head's blocks. */
const MUON_MATRIX = /^(layers\.\d+|image_head\.net\.res_blocks\.\d+)\..*\.weight$/;

/** AdamW for everything, or Muon for matrices and AdamW for the rest, each part of the model at its own rate. */
export async function createOptimizer(
  engine: Engine,
  config: Pick<ModelTrainConfig, "optimizer" | "muon" | "rates">,
  weights: readonly Trainable[],
): Promise<Optimizer> {
  const isMuon = ({ name, shape }: Trainable): boolean =>
    config.muon !== null && shape.length === 2 && MUON_MATRIX.test(name);
  const { learningRate, weightDecay, betas, epsilon } = config.optimizer;
  const factorOf = ({ name }: Trainable): number => rateOf(name, config.rates);
  const factors = [...new Set(weights.map(factorOf))];
  const rest = weights.filter((weight) => !isMuon(weight));
  const groups = factors.flatMap((factor) =>
    [true, false].map(
      (decayed): ParameterGroup => ({
        parameters: rest.filter((own) => isDecayed(own.name) === decayed && factorOf(own) === factor),
        learningRate: factor * learningRate,
        weightDecay: decayed ? weightDecay : 0,
      }),
    ),
  );
  const adam = adamW(groups, { betas, epsilon });
  const { muon: own } = config;
  if (own === null) return adam;
  const matrices = factors.map(
    (factor): ParameterGroup => ({
      parameters: weights.filter((weight) => isMuon(weight) && factorOf(weight) === factor),
      learningRate: factor * own.learningRate,
      weightDecay: own.weightDecay,
    }),
  );
  return combineOptimizers([await muon(engine, matrices, { momentum: own.momentum }), adam]);
}

/** The folder itself, or `vae/` in it. */
export async function autoencoderPath(path: string): Promise<string> {
  const inside = join(path, "vae");
  return (await stat(inside).catch(() => undefined))?.isDirectory() === true ? inside : path;
}

/**
 * Puts the tokenizer's files into `folder`, unless an earlier start did, and opens it. Image tokens are added where
 * they are missing.
 */
export async function prepareTokenizer(
  folder: string,
  config: ModelTrainConfig,
  data: readonly TarDataset[],
): Promise<TextTokenizer> {
  const source = config.textTokenizer ?? config.start;
  if (source === null) {
    throw new ConfigError("is needed when training starts from scratch", { where: "textTokenizer" });
  }
  if (config.start !== null && typeof source !== "string") {
    throw new ConfigError("a newly learned tokenizer would change what the ids of the start's weights mean", {
      where: "textTokenizer",
      remedy: "leave it out to keep the start's",
    });
  }
  const isThere = (await stat(join(folder, "tokenizer.json")).catch(() => undefined)) !== undefined;
  if (!isThere) {
    const files =
      typeof source === "string"
        ? withImageTokens(await readTokenizerFiles(new LocalFolder(source)))
        : await trainTextTokenizer(allTexts(data), { size: source.tokens });
    await writeFolder(folder, async (partial) => {
      for (const [name, text] of tokenizerFileTexts(files)) await writeFile(join(partial, name), text);
    });
  }
  const files = await readTokenizerFiles(new LocalFolder(folder));
  // Each says what the others say, so that damage to one shows; models are written with copies of all of them.
  for (const [name, text] of tokenizerFileTexts(files)) {
    if ((await readFile(join(folder, name), "utf8").catch(() => undefined)) === text) continue;
    throw new ModelFormatError(
      "does not agree with the other files of the tokenizer: it was changed or damaged",
      {
        where: join(folder, name),
        remedy: "remove this folder: it is made again from the same texts",
      },
    );
  }
  return createTokenizer(files);
}

async function* allTexts(data: readonly TarDataset[]): AsyncGenerator<string> {
  for (const set of data) {
    for (let index = 0; index < set.length; index++) {
      // A sample without a readable description is left out here as it is in training, where it is named.
      const text = await set.textAt(index).catch((error: unknown) => {
        if (error instanceof SampleError) return undefined;
        throw error;
      });
      if (text === undefined) continue;
      const { captions, description } = text;
      if (description.text !== undefined) yield description.text;
      for (const { text } of captions) yield text;
    }
  }
}

/** The model's configuration: that of the start, the given fields over it, ids from the tokenizer. */
export function modelConfig(
  config: Pick<ModelTrainConfig, "model" | "imageSize">,
  tokenizer: TextTokenizer,
  autoencoder: AutoencoderFolder,
  start: ModelFolder | undefined,
): NextStepConfig {
  const { boi, eoi, placeholder, pad, eos, bos } = tokenizer.specials;
  const json = { vocab_size: tokenizer.size, ...(start?.configJson as object | undefined), ...config.model };
  const { config: parsed, unknownKeys } = parseNextStepConfig(json, "model");
  const unknown = unknownKeys.find((key) => key in config.model);
  if (unknown !== undefined) throw new ConfigError(`unknown key "model.${unknown}"`);
  if (autoencoder.config.latentChannels !== parsed.latentChannels) {
    throw new ConfigError("its latents do not make the model's tokens", {
      where: autoencoder.path,
      remedy: `use ${parsed.latentChannels} latent channels`,
    });
  }
  const side = pixelsPerLatent(autoencoder.config) * parsed.latentPatchSize;
  if (config.imageSize % side !== 0) {
    throw new ConfigError(`${config.imageSize} is not a whole number of tokens of ${side} pixels`, {
      where: "imageSize",
      remedy: `use a multiple of ${side}`,
    });
  }
  const latentSize = config.imageSize / pixelsPerLatent(autoencoder.config);
  const biases =
    start === undefined
      ? {}
      : { attentionBias: start.config.attentionBias, outputBias: start.config.outputBias };
  const model = {
    ...parsed,
    ...biases,
    vocabSize: Math.max(parsed.vocabSize, tokenizer.size),
    latentSize,
    baseGridSize: Math.floor(latentSize / parsed.latentPatchSize),
    ...{ boi, eoi, placeholder, pad, eos, bos: bos ?? undefined },
    // No part of the published training (docs/nextstep-spec.md 2.5).
    generationPositions: false,
  };
  refuseOverruled(config.model, model);
  return model;
}

/** What is given and does not hold must not be passed over. */
function refuseOverruled(given: ModelTrainConfig["model"], model: NextStepConfig): void {
  const held = toConfigJson(model);
  for (const [key, value] of Object.entries(given)) {
    if (!(key in held) || JSON.stringify(held[key]) === JSON.stringify(value)) continue;
    throw new ConfigError(`is ${JSON.stringify(held[key])} in training, whatever is given`, {
      where: `model.${key}`,
      remedy: "leave it out",
    });
  }
}

/**
 * The configuration of a model whose own weights stay, or are what training starts from, with the rows that it has.
 * @throws ConfigError when its tokenizer has more ids than that.
 */
export function baseConfig(
  config: Pick<ModelTrainConfig, "model" | "imageSize">,
  tokenizer: TextTokenizer,
  autoencoder: AutoencoderFolder,
  base: ModelFolder,
  { where, remedy }: { readonly where: string; readonly remedy: string },
): NextStepConfig {
  const { mlpBeforeLmHead, vocabSize } = base.config;
  const model = { ...modelConfig(config, tokenizer, autoencoder, base), mlpBeforeLmHead };
  if (model.vocabSize === vocabSize) return model;
  throw new ConfigError(`its tokenizer has ${model.vocabSize} ids, its table ${vocabSize}`, {
    where,
    remedy,
  });
}
