/**
 * @file Training of the image autoencoder with normalised latents: crops of growing size, noise on the latents, and
 * what the {@link Reconstruction} objective asks for.
 */
import { mkdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readFeatureNet } from "../../checkpoint/feature-net-file.ts";
import { ConfigError } from "../../errors.ts";
import { FileSource } from "../../files/file-source.ts";
import { FolderLock } from "../../files/folder-lock.ts";
import { writeTorchArchive } from "../../files/torch-archive-file.ts";
import { nodeZlib } from "../../files/zlib.ts";
import { tensorsToWrite } from "../../formats/tensor-source.ts";
import { encodePng } from "../../image/encode-png.ts";
import type { RgbImage } from "../../image/pixels.ts";
import {
  type AutoencoderConfig,
  parseAutoencoderConfig,
  pixelsPerLatent,
  toAutoencoderJson,
} from "../../model/autoencoder-config.ts";
import { LITE0 } from "../../model/feature-net.ts";
import { autoencoderParameters } from "../../model/parameter-list.ts";
import type { Engine } from "../../runtime/engine.ts";
import { LocalEngine } from "../../runtime/node/local-engine.ts";
import { float32Tensor } from "../../tensor/tensor.ts";
import { TarDataset } from "../data/dataset-reader.ts";
import { ShardedEpochOrder } from "../data/epoch-order.ts";
import { FaultySamples } from "../data/faulty-samples.ts";
import { refuseUnmeant } from "../loop/config-sense.ts";
import { pictureGrid } from "../loop/picture-grid.ts";
import { runTraining, type TrainOptions, type TrainResult, type TrainStage } from "../loop/run-loop.ts";
import type { LossSums } from "../objective/objective.ts";
import { PartGradients } from "../objective/part-gradients.ts";
import type { Optimizer } from "../optimizer/optimizer.ts";
import { type NamedBuffer, type Trainable, weightFeeds } from "../optimizer/trainable.ts";
import type { JsonValue } from "../plain-json.ts";
import { adjustableOf, identityOf } from "./autoencoder-identity.ts";
import { autoencoderOptimizer } from "./autoencoder-optimizer.ts";
import { initialAutoencoderWeights, readAutoencoderWeights } from "./autoencoder-start-weights.ts";
import type { AutoencoderTrainConfig } from "./autoencoder-train-config.ts";
import {
  Reconstructor,
  toPictures,
  VALIDATION_NOISE,
  validateAutoencoder,
} from "./autoencoder-validation.ts";
import { GivenLatents } from "./given-latents.ts";
import { firstPictures, PictureStore } from "./picture-store.ts";
import { Reconstruction, type ReconstructionPlan, type VisitedPictures } from "./reconstruction.ts";

/** Columns of the sample grid. */
const SAMPLE_PICTURES = 8;

interface AutoencoderData {
  /** Digest of what the headers say of the data, and what is trained on in the order of visits. */
  readonly fingerprint: string;
  readonly visits: VisitedPictures;
  readonly heldOut: readonly RgbImage[];
  readonly faults: FaultySamples;
  /** What the sample grid shows. */
  readonly samples: readonly RgbImage[];
}

class AutoencoderStage implements TrainStage<ReconstructionPlan> {
  readonly trainables: readonly Trainable[];
  readonly optimizer: Optimizer;
  readonly identity: JsonValue;
  readonly adjustable: JsonValue;
  readonly learningRate: number;
  readonly faults: FaultySamples;
  readonly planner: Reconstruction;
  readonly #config: AutoencoderTrainConfig;
  readonly #autoencoder: AutoencoderConfig;
  readonly #engine: Engine;
  readonly #heldOut: readonly RgbImage[];
  readonly #samples: readonly RgbImage[];
  readonly #gradients: PartGradients<ReconstructionPlan>;
  /** Weights that stay as they are: the encoder's when the decoder is trained alone. */
  readonly #frozen: readonly NamedBuffer[];
  #reconstructor: Reconstructor | undefined;

  constructor(
    config: AutoencoderTrainConfig,
    engine: Engine,
    data: AutoencoderData,
    weights: AutoencoderWeights,
  ) {
    this.#config = config;
    this.#autoencoder = weights.autoencoder;
    this.#engine = engine;
    this.#heldOut = data.heldOut;
    this.#samples = data.samples;
    this.identity = identityOf(config, data.fingerprint, weights.featureNet !== undefined);
    this.adjustable = adjustableOf(config);
    this.learningRate = config.optimizer.learningRate;
    this.faults = data.faults;
    this.trainables = weights.trainables;
    this.optimizer = weights.optimizer;
    this.#frozen = weights.frozen;
    // Without its encoder the graph has no use for the encoder's weights.
    const read = [
      ...(data.visits.latentsAt === undefined ? weights.frozen : []),
      ...(weights.featureNet ?? []),
    ];
    this.planner = new Reconstruction(config, this.#autoencoder, data.visits, {
      featureNet: weights.featureNet === undefined ? undefined : LITE0,
      frozen: weightFeeds(read),
    });
    // One session at a time: that of the phase under way.
    this.#gradients = new PartGradients(engine, this.planner, this.trainables, 1);
  }

  compute(plan: ReconstructionPlan, part: number, isFirst: boolean): Promise<LossSums> {
    return this.#gradients.compute(plan, part, isFirst);
  }

  async validate(weights: readonly NamedBuffer[]): Promise<Record<string, number>> {
    if (this.#heldOut.length === 0) return {};
    return validateAutoencoder(await this.#reconstruction(), this.#heldOut, this.#whole(weights));
  }

  /** Rows: the pictures, then their reconstructions with growing noise. */
  async drawSamples(weights: readonly NamedBuffer[]): Promise<Uint8Array> {
    const reconstructor = await this.#reconstruction();
    const levels = await reconstructor.reconstruct(this.#samples, VALIDATION_NOISE, this.#whole(weights));
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

  /** All weights of the autoencoder, given those that are trained. */
  #whole(weights: readonly NamedBuffer[]): readonly NamedBuffer[] {
    return [...this.#frozen, ...weights];
  }

  /** Where the weights are a moving average, those that it is taken of stand in `raw/`. */
  async writeModel(folder: string, weights: readonly NamedBuffer[]): Promise<void> {
    await this.#writeAutoencoder(join(folder, "vae"), this.#whole(weights));
    if (weights === this.trainables) return;
    await this.#writeAutoencoder(join(folder, "raw", "vae"), this.#whole(this.trainables));
  }

  async #writeAutoencoder(folder: string, weights: readonly NamedBuffer[]): Promise<void> {
    await mkdir(folder, { recursive: true });
    const json = JSON.stringify(toAutoencoderJson(this.#autoencoder), undefined, 2);
    await writeFile(join(folder, "config.json"), `${json}\n`);
    const tensors = weights.map(({ name, shape, data }) => [name, float32Tensor(shape, data)] as const);
    await writeTorchArchive(join(folder, "checkpoint.pt"), tensorsToWrite(tensors));
  }
}

function autoencoderConfig(config: AutoencoderTrainConfig): AutoencoderConfig {
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

/** What a run begins with. */
interface AutoencoderWeights {
  readonly autoencoder: AutoencoderConfig;
  readonly trainables: readonly Trainable[];
  readonly frozen: readonly NamedBuffer[];
  readonly optimizer: Optimizer;
  readonly featureNet: readonly NamedBuffer[] | undefined;
}

async function firstWeights(config: AutoencoderTrainConfig, engine: Engine): Promise<AutoencoderWeights> {
  const autoencoder = autoencoderConfig(config);
  const parameters = autoencoderParameters(autoencoder);
  const { start, seed, train } = config;
  if (start === null && train === "decoder") {
    throw new ConfigError("the decoder is trained alone on nothing", {
      where: "train",
      remedy: "name in start the autoencoder whose encoder stays",
    });
  }
  if (config.latents !== null && train === "all") {
    throw new ConfigError("latents are given, so that the encoder learns nothing", {
      where: "latents",
      remedy: 'set train to "decoder"',
    });
  }
  const all =
    start === null
      ? initialAutoencoderWeights(parameters, seed)
      : await readAutoencoderWeights(start, parameters);
  const isTrained = ({ name }: NamedBuffer): boolean => train === "all" || name.startsWith("decoder.");
  const trainables = all.filter(isTrained);
  return {
    autoencoder,
    trainables,
    frozen: all.filter((weight) => !isTrained(weight)),
    optimizer: await autoencoderOptimizer(engine, config, trainables),
    featureNet: await openFeatureNet(config),
  };
}

/** The net of the perceptual loss; undefined where there is none to be had. */
async function openFeatureNet(config: AutoencoderTrainConfig): Promise<NamedBuffer[] | undefined> {
  const file = config.loss.perceptual?.file;
  if (file === undefined) return undefined;
  const exists = (await stat(file).catch(() => undefined))?.isFile() ?? false;
  return exists ? readFeatureNet(await FileSource.open(file), LITE0) : undefined;
}

/**
 * Trains an autoencoder; goes on where its output folder's newest checkpoint stands.
 * @returns where the model folder is: vae/config.json and vae/checkpoint.pt in the official layout.
 * @throws ConfigError, DataFormatError, ModelFormatError, AbortedError (after a checkpoint).
 */
export async function trainAutoencoder(
  config: AutoencoderTrainConfig,
  options: TrainOptions = {},
): Promise<TrainResult> {
  const { resolution, cacheBytes, validationData, validationPictures } = config;
  const { threads, spin } = config.engine;
  const steps = config.phases.reduce((sum, phase) => sum + phase.steps, 0);
  refuseUnmeant(config.loop, steps, "phases");
  await using _lock = await FolderLock.acquire(config.output, "trains");
  await using engine = new LocalEngine({ spin, ...(threads === null ? {} : { threads }) });
  await using dataset = await TarDataset.open(config.data, { cacheBytes: 0 });
  const weights = await firstWeights(config, engine);
  await using latents = await openLatents(config, weights.autoencoder, dataset);
  const faults = new FaultySamples(config.maxFaultyShare);
  const pictures = new PictureStore(firstPictures(dataset), resolution, cacheBytes, faults);
  const order = new ShardedEpochOrder(config.seed, dataset.tarLengths);
  const visits: VisitedPictures = {
    pictureAt: (visit) => pictures.at(order.sampleAt(visit)),
    ...(latents === undefined
      ? {}
      : { latentsAt: async (visit) => latents.at(await pictures.usableIndex(order.sampleAt(visit))) }),
  };
  const heldOut =
    validationData === null ? [] : await readPictures(validationData, resolution, validationPictures);
  const samples =
    heldOut.length > 0 ? heldOut.slice(0, SAMPLE_PICTURES) : await pictures.first(SAMPLE_PICTURES);
  if (config.loss.perceptual !== null && weights.featureNet === undefined) {
    const text = `there is no ${config.loss.perceptual.file}: the perceptual loss is off`;
    options.onEvent?.({ type: "note", step: 0, text });
  }
  const data = { fingerprint: dataset.fingerprint(), visits, heldOut, samples, faults };
  const stage = new AutoencoderStage(config, engine, data, weights);
  // Awaited here: the data set and the engine are closed when this function returns.
  return await runTraining(stage, { config: config.loop, steps, output: config.output, ...options });
}

async function openLatents(
  config: AutoencoderTrainConfig,
  autoencoder: AutoencoderConfig,
  dataset: TarDataset,
): Promise<GivenLatents | undefined> {
  if (config.latents === null) return undefined;
  const side = config.resolution / pixelsPerLatent(autoencoder);
  return GivenLatents.open(config.latents, dataset, [autoencoder.latentChannels, side, side]);
}

async function readPictures(path: string, side: number, count: number): Promise<RgbImage[]> {
  await using dataset = await TarDataset.open(path, { cacheBytes: 0 });
  return await new PictureStore(firstPictures(dataset), side, 0, new FaultySamples(1)).first(count);
}
