/**
 * @file Training of the tokenizer, the image autoencoder with normalised latents: crops of growing size, noise on the
 * latents, and what {@link reconstructionLoss} asks for.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError } from "../../errors.ts";
import { writeTorchArchive } from "../../files/torch-archive-file.ts";
import { nodeZlib } from "../../files/zlib.ts";
import { tensorsToWrite } from "../../formats/tensor-source.ts";
import { encodePng } from "../../image/encode-png.ts";
import { type RgbImage, toPlanes } from "../../image/pixels.ts";
import {
  type AutoencoderConfig,
  parseAutoencoderConfig,
  pixelsPerLatent,
  toAutoencoderJson,
} from "../../model/autoencoder-config.ts";
import { autoencoderParameters } from "../../model/parameter-list.ts";
import type { Engine } from "../../runtime/engine.ts";
import { LocalEngine } from "../../runtime/local-engine.ts";
import { float32Tensor } from "../../tensor/tensor.ts";
import { TarDataset } from "../data/dataset-reader.ts";
import { ShardedEpochOrder } from "../data/epoch-order.ts";
import { pictureGrid } from "../loop/picture-grid.ts";
import { type BatchResult, runTraining, type TrainResult, type TrainStage } from "../loop/run-loop.ts";
import type { TrainEvent } from "../loop/train-events.ts";
import type { JsonValue } from "../loop/train-state.ts";
import { GradientSession } from "../objective/gradient-session.ts";
import { adamW } from "../optimizer/adamw.ts";
import type { Optimizer, ParameterGroup } from "../optimizer/optimizer.ts";
import type { NamedBuffer, Trainable } from "../optimizer/trainable.ts";
import { isDecayed } from "../optimizer/weight-decay.ts";
import { randomFor } from "../step-random.ts";
import { tokenizerGraph } from "./autoencoder-loss.ts";
import { initialTokenizerWeights } from "./autoencoder-start-weights.ts";
import type { TokenizerConfig } from "./autoencoder-train-config.ts";
import { Reconstructor, toPictures, VALIDATION_NOISE, validateTokenizer } from "./autoencoder-validation.ts";
import { contentCrop } from "./content-crop.ts";
import { firstPictures, PictureStore } from "./picture-store.ts";

export interface TrainOptions {
  /** Stops after the step under way, with a checkpoint. */
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: TrainEvent) => void;
}

/** Columns of the sample grid. */
const SAMPLE_PICTURES = 8;

type Phase = TokenizerConfig["phases"][number];

/** A phase and where it begins. */
interface PhaseSpan extends Phase {
  readonly firstStep: number;
  /** Pictures visited before it. */
  readonly firstVisit: number;
}

interface TokenizerData {
  readonly pictures: PictureStore;
  readonly order: ShardedEpochOrder;
  readonly heldOut: readonly RgbImage[];
  /** What the sample grid shows. */
  readonly samples: readonly RgbImage[];
}

class TokenizerStage implements TrainStage {
  readonly trainables: readonly Trainable[];
  readonly optimizer: Optimizer;
  readonly identity: JsonValue;
  readonly #config: TokenizerConfig;
  readonly #autoencoder: AutoencoderConfig;
  readonly #engine: Engine;
  readonly #pictures: PictureStore;
  readonly #order: ShardedEpochOrder;
  readonly #heldOut: readonly RgbImage[];
  readonly #samples: readonly RgbImage[];
  readonly #phases: readonly PhaseSpan[];
  /** Session of the phase under way. */
  #session: { readonly phase: PhaseSpan; readonly gradients: GradientSession } | undefined;
  #reconstructor: Reconstructor | undefined;

  constructor(config: TokenizerConfig, engine: Engine, data: TokenizerData) {
    this.#config = config;
    this.#autoencoder = autoencoderConfig(config);
    this.#engine = engine;
    this.#pictures = data.pictures;
    this.#heldOut = data.heldOut;
    this.#samples = data.samples;
    this.#order = data.order;
    this.#phases = phaseSpans(config);
    this.identity = identityOf(config, data.pictures.length);
    this.trainables = initialTokenizerWeights(autoencoderParameters(this.#autoencoder), config.seed);
    const { learningRate, weightDecay, betas, epsilon } = config.optimizer;
    const group = (decayed: boolean): ParameterGroup => ({
      parameters: this.trainables.filter(({ name }) => isDecayed(name) === decayed),
      learningRate,
      weightDecay: decayed ? weightDecay : 0,
    });
    this.optimizer = adamW([group(true), group(false)], { betas, epsilon });
  }

  /** Batches depend on the step alone. */
  position(): JsonValue {
    return null;
  }

  restorePosition(): void {}

  async runBatch(step: number, batch: number): Promise<BatchResult> {
    const phase = this.#phases.findLast(({ firstStep }) => firstStep <= step)!;
    const session = await this.#sessionOf(phase);
    const { inChannels, latentChannels } = this.#autoencoder;
    const rng = randomFor(this.#config.seed, "batch", step, batch);
    const area = inChannels * phase.crop ** 2;
    const pixels = new Float32Array(phase.batch * area);
    const strength = new Float32Array(phase.batch);
    const { accumulate } = this.#config.loop;
    const visit = phase.firstVisit + ((step - phase.firstStep) * accumulate + batch) * phase.batch;
    for (let index = 0; index < phase.batch; index++) {
      const picture = await this.#pictures.at(this.#order.sampleAt(visit + index));
      toPlanes(contentCrop(picture, phase.crop, rng), pixels, index * area);
      strength[index] = this.#config.noise * rng.uniform();
    }
    const side = phase.crop / pixelsPerLatent(this.#autoencoder);
    const noise = rng.fillNormal(new Float32Array(phase.batch * latentChannels * side ** 2));
    const result = await session.run(
      {
        pixels: { dtype: "float32", shape: [phase.batch, inChannels, phase.crop, phase.crop], data: pixels },
        noise: { dtype: "float32", shape: [phase.batch, latentChannels, side, side], data: noise },
        strength: { dtype: "float32", shape: [phase.batch, 1, 1, 1], data: strength },
      },
      batch === 0,
    );
    // Of the whole batch, with noise: lower than what validation finds picture by picture.
    const psnr = -10 * Math.log10(result.meanSquare! / 4);
    return { loss: result.loss, metrics: { psnr }, images: phase.batch };
  }

  async #sessionOf(phase: PhaseSpan): Promise<GradientSession> {
    if (this.#session?.phase === phase) return this.#session.gradients;
    await this.#session?.gradients.dispose();
    const side = phase.crop / pixelsPerLatent(this.#autoencoder);
    // Known sizes let the engine plan its memory once.
    const { loss, meanSquare, parameters } = tokenizerGraph(this.#autoencoder, {
      pictures: phase.batch,
      height: side,
      width: side,
    });
    const graph = { loss, metrics: { meanSquare }, parameters };
    const gradients = await GradientSession.create(this.#engine, graph, this.trainables);
    this.#session = { phase, gradients };
    return gradients;
  }

  async validate(weights: readonly NamedBuffer[]): Promise<Record<string, number>> {
    if (this.#heldOut.length === 0) return {};
    return validateTokenizer(await this.#reconstruction(), this.#heldOut, weights);
  }

  /** Rows: the pictures, then their reconstructions with growing noise. */
  async drawSamples(weights: readonly NamedBuffer[]): Promise<Uint8Array> {
    const reconstructor = await this.#reconstruction();
    const levels = await reconstructor.reconstruct(this.#samples, VALIDATION_NOISE, weights);
    const rows = levels.map((planes) => toPictures(planes, this.#config.resolution));
    return encodePng(pictureGrid([this.#samples, ...rows]), nodeZlib);
  }

  async #reconstruction(): Promise<Reconstructor> {
    this.#reconstructor ??= await Reconstructor.create(
      this.#engine,
      this.#autoencoder,
      this.#config.resolution,
    );
    return this.#reconstructor;
  }

  async writeModel(folder: string, weights: readonly NamedBuffer[]): Promise<void> {
    const vae = join(folder, "vae");
    await mkdir(vae, { recursive: true });
    const json = JSON.stringify(toAutoencoderJson(this.#autoencoder), undefined, 2);
    await writeFile(join(vae, "config.json"), `${json}\n`);
    const tensors = weights.map(({ name, shape, data }) => [name, float32Tensor(shape, data)] as const);
    await writeTorchArchive(join(vae, "checkpoint.pt"), tensorsToWrite(tensors));
  }
}

function autoencoderConfig(config: TokenizerConfig): AutoencoderConfig {
  const parsed = parseAutoencoderConfig(config.autoencoder, "autoencoder");
  const [unknown] = parsed.unknownKeys;
  if (unknown !== undefined) throw new ConfigError(`unknown key "autoencoder.${unknown}"`);
  const grid = pixelsPerLatent(parsed.config) * (parsed.config.patchSize ?? 1);
  const sides: [string, number][] = [
    ["resolution", config.resolution],
    ...config.phases.map(({ crop }, index): [string, number] => [`phases.${index}.crop`, crop]),
  ];
  for (const [where, side] of sides) {
    if (side % grid !== 0 || side > config.resolution) {
      throw new ConfigError(`${side} is no multiple of ${grid} up to ${config.resolution}`, { where });
    }
  }
  return parsed.config;
}

function phaseSpans(config: TokenizerConfig): PhaseSpan[] {
  let firstStep = 0;
  let firstVisit = 0;
  return config.phases.map((phase) => {
    const span = { ...phase, firstStep, firstVisit };
    firstStep += phase.steps;
    firstVisit += phase.steps * phase.batch * config.loop.accumulate;
    return span;
  });
}

/** Everything that decides the weights; periods, threads and paths do not. */
function identityOf(config: TokenizerConfig, pictures: number): JsonValue {
  const { resolution, seed, autoencoder, noise, phases, optimizer } = config;
  const { accumulate, maxGradientNorm, schedule, ema } = config.loop;
  const loop = { accumulate, maxGradientNorm, schedule, ema };
  return { stage: "tokenizer", pictures, resolution, seed, autoencoder, noise, phases, optimizer, loop };
}

/**
 * Trains a tokenizer; goes on where its output folder's newest checkpoint stands.
 * @returns where the model folder is: vae/config.json and vae/checkpoint.pt in the official layout.
 * @throws ConfigError, DataFormatError, AbortedError (after a checkpoint).
 */
export async function trainTokenizer(
  config: TokenizerConfig,
  options: TrainOptions = {},
): Promise<TrainResult> {
  const { resolution, cacheBytes, validationData, validationPictures } = config;
  const { threads, spin } = config.engine;
  await using engine = new LocalEngine({ spin, ...(threads === null ? {} : { threads }) });
  await using dataset = await TarDataset.open(config.data, { cacheBytes: 0 });
  const pictures = new PictureStore(firstPictures(dataset), resolution, cacheBytes);
  const order = new ShardedEpochOrder(config.seed, dataset.tarLengths);
  const heldOut =
    validationData === null ? [] : await readPictures(validationData, resolution, validationPictures);
  const samples =
    heldOut.length > 0 ? heldOut.slice(0, SAMPLE_PICTURES) : await pictures.first(SAMPLE_PICTURES);
  const stage = new TokenizerStage(config, engine, { pictures, order, heldOut, samples });
  const steps = config.phases.reduce((sum, phase) => sum + phase.steps, 0);
  // Awaited here: the data set and the engine are closed when this function returns.
  return await runTraining(stage, { config: config.loop, steps, output: config.output, ...options });
}

async function readPictures(path: string, side: number, count: number): Promise<RgbImage[]> {
  await using dataset = await TarDataset.open(path, { cacheBytes: 0 });
  return await new PictureStore(firstPictures(dataset), side, 0).first(count);
}
