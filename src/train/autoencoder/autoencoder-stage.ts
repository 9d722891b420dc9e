/**
 * @file Training of the image autoencoder with normalised latents: crops of growing size, noise on the latents, and
 * what the {@link Reconstruction} objective asks for.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError } from "../../errors.ts";
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
import { autoencoderParameters } from "../../model/parameter-list.ts";
import type { Engine } from "../../runtime/engine.ts";
import { LocalEngine } from "../../runtime/local-engine.ts";
import { float32Tensor } from "../../tensor/tensor.ts";
import { TarDataset } from "../data/dataset-reader.ts";
import { ShardedEpochOrder } from "../data/epoch-order.ts";
import { pictureGrid } from "../loop/picture-grid.ts";
import { runTraining, type TrainOptions, type TrainResult, type TrainStage } from "../loop/run-loop.ts";
import type { LossSums } from "../objective/objective.ts";
import { PartGradients } from "../objective/part-gradients.ts";
import { adamW } from "../optimizer/adamw.ts";
import type { Optimizer, ParameterGroup } from "../optimizer/optimizer.ts";
import type { NamedBuffer, Trainable } from "../optimizer/trainable.ts";
import { isDecayed } from "../optimizer/weight-decay.ts";
import type { JsonValue } from "../plain-json.ts";
import { initialAutoencoderWeights } from "./autoencoder-start-weights.ts";
import type { AutoencoderTrainConfig } from "./autoencoder-train-config.ts";
import {
  Reconstructor,
  toPictures,
  VALIDATION_NOISE,
  validateAutoencoder,
} from "./autoencoder-validation.ts";
import { firstPictures, PictureStore } from "./picture-store.ts";
import { Reconstruction, type ReconstructionPlan } from "./reconstruction.ts";

/** Columns of the sample grid. */
const SAMPLE_PICTURES = 8;

interface AutoencoderData {
  readonly pictures: PictureStore;
  readonly order: ShardedEpochOrder;
  readonly heldOut: readonly RgbImage[];
  /** What the sample grid shows. */
  readonly samples: readonly RgbImage[];
}

class AutoencoderStage implements TrainStage<ReconstructionPlan> {
  readonly trainables: readonly Trainable[];
  readonly optimizer: Optimizer;
  readonly identity: JsonValue;
  readonly planner: Reconstruction;
  readonly #config: AutoencoderTrainConfig;
  readonly #autoencoder: AutoencoderConfig;
  readonly #engine: Engine;
  readonly #heldOut: readonly RgbImage[];
  readonly #samples: readonly RgbImage[];
  readonly #gradients: PartGradients<ReconstructionPlan>;
  #reconstructor: Reconstructor | undefined;

  constructor(config: AutoencoderTrainConfig, engine: Engine, data: AutoencoderData) {
    this.#config = config;
    this.#autoencoder = autoencoderConfig(config);
    this.#engine = engine;
    this.#heldOut = data.heldOut;
    this.#samples = data.samples;
    this.identity = identityOf(config, data.pictures.length);
    this.trainables = initialAutoencoderWeights(autoencoderParameters(this.#autoencoder), config.seed);
    const { learningRate, weightDecay, betas, epsilon } = config.optimizer;
    const group = (decayed: boolean): ParameterGroup => ({
      parameters: this.trainables.filter(({ name }) => isDecayed(name) === decayed),
      learningRate,
      weightDecay: decayed ? weightDecay : 0,
    });
    this.optimizer = adamW([group(true), group(false)], { betas, epsilon });
    this.planner = new Reconstruction(config, this.#autoencoder, {
      pictureAt: (visit) => data.pictures.at(data.order.sampleAt(visit)),
    });
    // One session at a time: that of the phase under way.
    this.#gradients = new PartGradients(engine, this.planner, this.trainables, 1);
  }

  compute(plan: ReconstructionPlan, part: number, isFirst: boolean): Promise<LossSums> {
    return this.#gradients.compute(plan, part, isFirst);
  }

  async validate(weights: readonly NamedBuffer[]): Promise<Record<string, number>> {
    if (this.#heldOut.length === 0) return {};
    return validateAutoencoder(await this.#reconstruction(), this.#heldOut, weights);
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

/** Everything that decides the weights; periods, threads and paths do not. */
function identityOf(config: AutoencoderTrainConfig, pictures: number): JsonValue {
  const { resolution, seed, autoencoder, noise, phases, optimizer } = config;
  const { accumulate, maxGradientNorm, schedule, ema } = config.loop;
  const loop = { accumulate, maxGradientNorm, schedule, ema };
  return { stage: "autoencoder", pictures, resolution, seed, autoencoder, noise, phases, optimizer, loop };
}

/**
 * Trains an autoencoder; goes on where its output folder's newest checkpoint stands.
 * @returns where the model folder is: vae/config.json and vae/checkpoint.pt in the official layout.
 * @throws ConfigError, DataFormatError, AbortedError (after a checkpoint).
 */
export async function trainAutoencoder(
  config: AutoencoderTrainConfig,
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
  const stage = new AutoencoderStage(config, engine, { pictures, order, heldOut, samples });
  const steps = config.phases.reduce((sum, phase) => sum + phase.steps, 0);
  // Awaited here: the data set and the engine are closed when this function returns.
  return await runTraining(stage, { config: config.loop, steps, output: config.output, ...options });
}

async function readPictures(path: string, side: number, count: number): Promise<RgbImage[]> {
  await using dataset = await TarDataset.open(path, { cacheBytes: 0 });
  return await new PictureStore(firstPictures(dataset), side, 0).first(count);
}
