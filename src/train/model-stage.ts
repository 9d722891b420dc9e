/**
 * @file Training of the model: captions and image tokens in one sequence, by next-token prediction
 * (docs/nextstep-spec.md 4).
 */
import { mkdir, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type AutoencoderFolder, openAutoencoderFolder } from "../checkpoint/autoencoder-folder.ts";
import { type ModelFolder, openModelFolder } from "../checkpoint/model-folder.ts";
import { writeModelFolder } from "../checkpoint/write-model-folder.ts";
import { ConfigError } from "../errors.ts";
import { tensorsToWrite } from "../formats/tensor-source.ts";
import { aspectBuckets } from "../image/aspect-buckets.ts";
import { pixelsPerLatent } from "../model/autoencoder-config.ts";
import { type NextStepConfig, parseNextStepConfig, toConfigJson, tokenWidth } from "../model/config.ts";
import { modelParameters } from "../model/parameter-list.ts";
import type { Engine } from "../runtime/engine.ts";
import { LocalEngine } from "../runtime/local-engine.ts";
import { trainTokenizer } from "../sequence/byte-pair-training.ts";
import { areaIds, type Grid, gridText, PIXELS_PER_TOKEN } from "../sequence/segments.ts";
import { createTokenizer, type TextTokenizer } from "../sequence/tokenizer.ts";
import { readTokenizerFiles, withImageTokens } from "../sequence/tokenizer-files.ts";
import { tokenizerFileTexts } from "../sequence/tokenizer-writer.ts";
import { imageTextSample } from "../sequence/training-sample.ts";
import { float32Tensor } from "../tensor/tensor.ts";
import { TarDataset } from "./data/dataset-reader.ts";
import { GradientSession } from "./gradient-session.ts";
import { type BatchStream, batchStream, captionOf, SampleBuilder } from "./model-batches.ts";
import type { ModelTrainConfig } from "./model-config.ts";
import { LatentStore } from "./model-stage-latents.ts";
import { drawPromptGrid } from "./model-stage-preview.ts";
import { type HeldOutSample, ModelValidation } from "./model-stage-validation.ts";
import { initialModelWeights } from "./model-stage-weights.ts";
import { drawFlow } from "./objective/flow-draws.ts";
import { addRasterNoise, corruptRead } from "./objective/read-corruption.ts";
import { predictionCount, type TokenRows, trainingFeeds } from "./objective/training-feeds.ts";
import { IMAGE_SUM, LM_SUM, trainingGraph } from "./objective/training-graph.ts";
import { adamW } from "./optimizer/adamw.ts";
import { muon } from "./optimizer/muon.ts";
import { combineOptimizers, type Optimizer, type ParameterGroup } from "./optimizer/optimizer.ts";
import { isDecayed } from "./optimizer/weight-decay.ts";
import { type BatchResult, runTraining, type TrainResult, type TrainStage } from "./run-loop.ts";
import { randomFor } from "./step-random.ts";
import type { TrainOptions } from "./tokenizer-stage.ts";
import type { JsonValue } from "./train-state.ts";
import type { NamedBuffer, Trainable } from "./trainable.ts";

interface StageParts {
  readonly engine: Engine;
  readonly config: ModelTrainConfig;
  readonly model: NextStepConfig;
  readonly tokenizer: TextTokenizer;
  /** Folder of the tokenizer's files. */
  readonly tokenizerPath: string;
  readonly autoencoder: AutoencoderFolder;
  readonly latents: LatentStore;
  readonly batches: BatchStream;
  readonly samples: number;
  readonly trainables: readonly Trainable[];
  readonly optimizer: Optimizer;
  readonly validation: ModelValidation | undefined;
}

class ModelStage implements TrainStage {
  readonly trainables: readonly Trainable[];
  readonly optimizer: Optimizer;
  readonly identity: JsonValue;
  /** Left out without prompts. */
  readonly drawSamples?: (weights: readonly NamedBuffer[]) => Promise<Uint8Array>;
  readonly #parts: StageParts;
  /** Sessions by the parts of a batch: text alone or with images. */
  readonly #sessions = new Map<string, GradientSession>();

  constructor(parts: StageParts) {
    this.#parts = parts;
    this.trainables = parts.trainables;
    this.optimizer = parts.optimizer;
    this.identity = identityOf(parts);
    if (parts.config.samples.prompts.length > 0) this.drawSamples = (weights) => this.#drawPrompts(weights);
  }

  position(): JsonValue {
    return this.#parts.batches.position();
  }

  restorePosition(position: JsonValue): void {
    this.#parts.batches.restorePosition(position);
  }

  async runBatch(step: number, batch: number): Promise<BatchResult> {
    const { config, model, latents, batches } = this.#parts;
    const planned = await batches.next();
    const rng = randomFor(config.seed, "batch", step, batch);
    const clean = await latents.load(planned.images);
    const corruption = { noise: config.readNoise, swap: config.swapTokens };
    const isCorrupted = corruption.noise > 0 || corruption.swap > 0;
    const read = isCorrupted ? corruptRead(clean, tokenWidth(model), corruption, rng) : clean;
    const images = clean.map((tokens, index) => ({
      tokens,
      read: this.#withPublishedNoise(read[index]!, planned.images[index]!, rng),
      predicted: true,
    }));
    const rows: TokenRows = { ...planned, images };
    const draws = drawFlow(model, predictionCount(model, rows), rng);
    const { parts, feeds, lmCount, imageCount } = trainingFeeds(model, rows, draws);
    const key = JSON.stringify(parts);
    let session = this.#sessions.get(key);
    if (session === undefined) {
      session = await GradientSession.create(
        this.#parts.engine,
        trainingGraph(model, parts),
        this.trainables,
      );
      this.#sessions.set(key, session);
    }
    const result = await session.run(feeds, batch === 0);
    const metrics = {
      lm_loss: result[LM_SUM]! / lmCount,
      ...(imageCount === 0 ? {} : { image_loss: result[IMAGE_SUM]! / imageCount }),
      padding: planned.ids.reduce((sum, id) => sum + (id === model.pad ? 1 : 0), 0) / planned.ids.length,
    };
    return { loss: result.loss, metrics, images: images.length };
  }

  #withPublishedNoise(read: Float32Array, index: number, rng: ReturnType<typeof randomFor>): Float32Array {
    const { model, latents } = this.#parts;
    if (model.noiseStrength <= 0) return read;
    const noisy = read.slice();
    addRasterNoise(
      noisy,
      model.noiseStrength,
      { grid: latents.gridAt(index), patch: model.latentPatchSize },
      rng,
    );
    return noisy;
  }

  async validate(weights: readonly NamedBuffer[]): Promise<Record<string, number>> {
    return (await this.#parts.validation?.run(weights)) ?? {};
  }

  async #drawPrompts(weights: readonly NamedBuffer[]): Promise<Uint8Array> {
    const { config, tokenizer } = this.#parts;
    const folder = join(config.output, "samples", ".model");
    await rm(folder, { recursive: true, force: true });
    try {
      await this.writeModel(folder, weights);
      return await drawPromptGrid(folder, tokenizer, config);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  async writeModel(folder: string, weights: readonly NamedBuffer[]): Promise<void> {
    const { model, autoencoder, tokenizer, tokenizerPath, config } = this.#parts;
    const tensors = tensorsToWrite(
      weights.map(({ name, shape, data }) => [name, float32Tensor(shape, data)] as const),
    );
    const grids: Grid[] = config.aspectBuckets
      ? aspectBuckets(config.imageSize).map(({ grid }) => grid)
      : [[config.imageSize / PIXELS_PER_TOKEN, config.imageSize / PIXELS_PER_TOKEN]];
    const written = join(folder, ".model");
    await writeModelFolder(written, {
      configJson: {
        ...toConfigJson({ ...model, autoencoderPath: "vae" }),
        hw_aspect_ratios_ids: Object.fromEntries(
          grids.map((grid) => [gridText(grid), areaIds(tokenizer, grid)]),
        ),
      },
      tensors,
      tokenizerPath,
      autoencoder: {
        configJson: autoencoder.configJson,
        tensors: autoencoder.tensors.toWrite(),
        weightFile: autoencoder.weightFile,
      },
    });
    // The folder may hold other files already; whoever gave it renames it when it is whole.
    for (const name of await readdir(written)) await rename(join(written, name), join(folder, name));
    await rm(written, { recursive: true });
  }
}

/** Everything that decides the weights; periods, threads and paths do not. */
function identityOf({ config, model, samples }: StageParts): JsonValue {
  const { imageSize, seed, steps, batch, packing, captions, dropText, dropCaption } = config;
  const { accumulate, maxGradientNorm, schedule, ema } = config.loop;
  return {
    stage: "model",
    samples,
    model: JSON.parse(JSON.stringify(toConfigJson(model))) as JsonValue,
    ...{ imageSize, aspectBuckets: config.aspectBuckets, seed, steps, batch, packing },
    captions: JSON.parse(JSON.stringify(captions)) as JsonValue,
    ...{ dropText, dropCaption, readNoise: config.readNoise, swapTokens: config.swapTokens },
    ...{ optimizer: config.optimizer, muon: config.muon },
    loop: { accumulate, maxGradientNorm, schedule, ema },
  };
}

/** Matrices that Muon takes when it is on: backbone layers and the head's blocks. */
const MUON_MATRIX = /^(layers\.\d+|image_head\.net\.res_blocks\.\d+)\..*\.weight$/;

async function createOptimizer(
  engine: Engine,
  config: ModelTrainConfig,
  weights: readonly Trainable[],
): Promise<Optimizer> {
  const isMuon = ({ name, shape }: Trainable): boolean =>
    config.muon !== null && shape.length === 2 && MUON_MATRIX.test(name);
  const { learningRate, weightDecay, betas, epsilon } = config.optimizer;
  const rest = weights.filter((weight) => !isMuon(weight));
  const groups = [true, false].map(
    (decayed): ParameterGroup => ({
      parameters: rest.filter(({ name }) => isDecayed(name) === decayed),
      learningRate,
      weightDecay: decayed ? weightDecay : 0,
    }),
  );
  const adam = adamW(groups, { betas, epsilon });
  if (config.muon === null) return adam;
  const matrices = {
    parameters: weights.filter(isMuon),
    learningRate: config.muon.learningRate,
    weightDecay: config.muon.weightDecay,
  };
  return combineOptimizers([await muon(engine, [matrices], { momentum: config.muon.momentum }), adam]);
}

/** The folder itself, or `vae/` in it. */
async function autoencoderPath(path: string): Promise<string> {
  const inside = join(path, "vae");
  return (await stat(inside).catch(() => undefined))?.isDirectory() === true ? inside : path;
}

/**
 * Puts the tokenizer's files into `folder`, unless an earlier start did, and opens it. Image tokens are added where
 * they are missing.
 */
async function prepareTokenizer(
  folder: string,
  config: ModelTrainConfig,
  data: TarDataset,
): Promise<TextTokenizer> {
  const source = config.textTokenizer ?? config.start;
  if (source === null) {
    throw new ConfigError("is needed when training starts from scratch", { where: "textTokenizer" });
  }
  const isThere = (await stat(join(folder, "tokenizer.json")).catch(() => undefined)) !== undefined;
  if (!isThere) {
    const files =
      typeof source === "string"
        ? withImageTokens(await readTokenizerFiles(source))
        : await trainTokenizer(allCaptions(data), { size: source.tokens });
    const partial = `${folder}.partial`;
    await rm(partial, { recursive: true, force: true });
    await mkdir(partial, { recursive: true });
    for (const [name, text] of tokenizerFileTexts(files)) await writeFile(join(partial, name), text);
    await rm(folder, { recursive: true, force: true });
    await rename(partial, folder);
  }
  return createTokenizer(await readTokenizerFiles(folder));
}

async function* allCaptions(data: TarDataset): AsyncGenerator<string> {
  for (let index = 0; index < data.length; index++) {
    for (const { text } of (await data.textAt(index)).captions) yield text;
  }
}

/** The model's configuration: that of the start, the given fields over it, ids from the tokenizer. */
function modelConfig(
  config: ModelTrainConfig,
  tokenizer: TextTokenizer,
  autoencoder: AutoencoderFolder,
  start: ModelFolder | undefined,
): NextStepConfig {
  const { boi, eoi, placeholder, pad, eos, bos } = tokenizer.specials;
  const json = { vocab_size: tokenizer.size, ...(start?.configJson as object | undefined), ...config.model };
  const { config: parsed, unknownKeys } = parseNextStepConfig(json, "model");
  const unknown = unknownKeys.find((key) => key in config.model);
  if (unknown !== undefined) throw new ConfigError(`unknown key "model.${unknown}"`);
  const side = pixelsPerLatent(autoencoder.config) * parsed.latentPatchSize;
  if (side !== PIXELS_PER_TOKEN || autoencoder.config.latentChannels !== parsed.latentChannels) {
    throw new ConfigError("its latents do not make the model's tokens", {
      where: autoencoder.path,
      remedy: `use ${parsed.latentChannels} latent channels and ${PIXELS_PER_TOKEN} pixels a token`,
    });
  }
  const latentSize = config.imageSize / pixelsPerLatent(autoencoder.config);
  const biases =
    start === undefined
      ? {}
      : { attentionBias: start.config.attentionBias, outputBias: start.config.outputBias };
  return {
    ...parsed,
    ...biases,
    vocabSize: Math.max(parsed.vocabSize, tokenizer.size),
    latentSize,
    baseGridSize: Math.floor(latentSize / parsed.latentPatchSize),
    ...{ boi, eoi, placeholder, pad, eos, bos: bos ?? undefined },
    generationPositions: false,
  };
}

/** Held-out samples with their likeliest caption, and with that of the sample half a set away. */
async function heldOutSamples(
  data: TarDataset,
  latents: LatentStore,
  tokenizer: TextTokenizer,
  config: ModelTrainConfig,
): Promise<HeldOutSample[]> {
  const count = Math.min(config.validationSamples, data.length);
  const captions: string[] = [];
  for (let index = 0; index < count; index++) {
    const rng = randomFor(0, "validation caption", index);
    captions.push(captionOf(await data.textAt(index), config.captions, () => rng.uniform()));
  }
  return captions.map((caption, index) => {
    const grid = latents.gridAt(index);
    const other = captions[(index + Math.ceil(count / 2)) % count]!;
    const options = { dropText: false };
    return {
      index,
      own: imageTextSample(tokenizer, caption, grid, options),
      other: imageTextSample(tokenizer, other, grid, options),
    };
  });
}

/**
 * Trains a model; goes on where its output folder's newest checkpoint stands.
 * @returns where the model folder is, in the official layout with tokenizer files and `vae/`.
 * @throws ConfigError, DataFormatError, ModelFormatError, AbortedError (after a checkpoint).
 */
export async function trainModel(config: ModelTrainConfig, options: TrainOptions = {}): Promise<TrainResult> {
  const { threads, spin } = config.engine;
  await using engine = new LocalEngine({ spin, ...(threads === null ? {} : { threads }) });
  await using data = await TarDataset.open(config.data, { cacheBytes: 0 });
  await using autoencoder = await openAutoencoderFolder(await autoencoderPath(config.autoencoder));
  await using start =
    config.start === null ? undefined : await openModelFolder(config.start, { startWeights: true });
  const tokenizerPath = join(config.output, "tokenizer");
  const tokenizer = await prepareTokenizer(tokenizerPath, config, data);
  const model = modelConfig(config, tokenizer, autoencoder, start);
  const storeOf = (source: TarDataset): Promise<LatentStore> =>
    LatentStore.create(engine, source, autoencoder, {
      patch: model.latentPatchSize,
      imageSize: config.imageSize,
      aspectBuckets: config.aspectBuckets,
      cacheBytes: config.cacheBytes,
      folder: join(config.output, "latents"),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
  const validation = await createValidation(engine, config, model, tokenizer, storeOf);
  const latents = await storeOf(data);
  const trainables = await initialModelWeights(modelParameters(model), config.seed, start);
  const builder = new SampleBuilder(tokenizer, data, latents, config);
  const stage = new ModelStage({
    ...{ engine, config, model, tokenizer, tokenizerPath, autoencoder, latents, trainables, validation },
    batches: batchStream(config, builder, data.tarLengths, tokenizer),
    samples: data.length,
    optimizer: await createOptimizer(engine, config, trainables),
  });
  // Awaited here: data, weights and engine are closed when this function returns.
  return await runTraining(stage, {
    config: config.loop,
    steps: config.steps,
    output: config.output,
    ...options,
  });
}

async function createValidation(
  engine: Engine,
  config: ModelTrainConfig,
  model: NextStepConfig,
  tokenizer: TextTokenizer,
  storeOf: (source: TarDataset) => Promise<LatentStore>,
): Promise<ModelValidation | undefined> {
  if (config.validationData === null || model.imageLossWeight <= 0) return undefined;
  await using data = await TarDataset.open(config.validationData, { cacheBytes: 0 });
  const latents = await storeOf(data);
  const samples = await heldOutSamples(data, latents, tokenizer, config);
  const validation = await ModelValidation.create(engine, model, samples, latents, tokenizer.specials.pad);
  await latents.dispose();
  return validation;
}
