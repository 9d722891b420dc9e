/** @file The data sets of a model training run: tars, the tokens of their pictures, and what is made of them. */
import { join } from "node:path";
import type { AutoencoderFolder } from "../../checkpoint/autoencoder-folder.ts";
import { aspectBuckets } from "../../image/aspect-buckets.ts";
import type { NextStepConfig } from "../../model/config.ts";
import type { Engine } from "../../runtime/engine.ts";
import { type Grid, gridText } from "../../sequence/segments.ts";
import type { TextTokenizer } from "../../sequence/tokenizer.ts";
import { TarDataset } from "../data/dataset-reader.ts";
import type { FaultySamples } from "../data/faulty-samples.ts";
import { type BatchStream, PaddedBatches } from "./batches.ts";
import { LatentStore } from "./latent-store.ts";
import type { DataSetConfig, ModelTrainConfig } from "./model-train-config.ts";
import { PackedBatches } from "./packed-batches.ts";
import type { PictureTokens } from "./picture-encoder.ts";
import { type PlannedImage, SampleSource } from "./samples.ts";

/** Decoded pictures that are kept for a moment: sizes are asked for first, pixels soon after. */
const PICTURE_CACHE_BYTES = 64 * 1024 * 1024;

/** How pictures are brought to size, and the tokens on a side of a square one. */
export interface GridSettings extends Pick<ModelTrainConfig, "imageSize" | "aspectBuckets"> {
  readonly side: number;
}

/** Grids that pictures have in training, each once. */
export function trainingGrids({ imageSize, aspectBuckets: buckets, side }: GridSettings): Grid[] {
  const grids: Grid[] = buckets
    ? aspectBuckets(imageSize, imageSize / side).map(({ grid }) => grid)
    : [[side, side]];
  return [...new Map(grids.map((grid) => [gridText(grid), grid])).values()];
}

/** Tokens of the largest of these grids. */
export function mostImageTokens(settings: GridSettings): number {
  return Math.max(...trainingGrids(settings).map(([height, width]) => height * width));
}

/** The tars of all data sets. */
export class TrainingTars implements AsyncDisposable {
  readonly configs: readonly DataSetConfig[];
  readonly sets: readonly TarDataset[];

  private constructor(configs: readonly DataSetConfig[], sets: readonly TarDataset[]) {
    this.configs = configs;
    this.sets = sets;
  }

  /** @throws what {@link TarDataset.open} throws. */
  static async open(data: ModelTrainConfig["data"]): Promise<TrainingTars> {
    const configs: DataSetConfig[] =
      typeof data === "string" ? [{ path: data, type: "image_text_pair" }] : data;
    const sets: TarDataset[] = [];
    for (const { path } of configs) {
      sets.push(await TarDataset.open(path, { cacheBytes: PICTURE_CACHE_BYTES }));
    }
    return new TrainingTars(configs, sets);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const set of this.sets) await set[Symbol.asyncDispose]();
  }
}

export interface TrainingDataParts {
  readonly engine: Engine;
  readonly config: ModelTrainConfig;
  readonly tokenizer: TextTokenizer;
  readonly autoencoder: AutoencoderFolder;
  readonly model: NextStepConfig;
  /** Takes note of samples that cannot be used. */
  readonly faults: FaultySamples;
}

/** Tokens of the pictures of a data set. */
export function openLatents(
  { engine, config, autoencoder, model }: TrainingDataParts,
  set: TarDataset,
  type: DataSetConfig["type"],
): Promise<LatentStore> {
  return LatentStore.create(engine, set, autoencoder, {
    patch: model.latentPatchSize,
    imageSize: config.imageSize,
    aspectBuckets: config.aspectBuckets,
    matchSizes: type === "image_editing",
    cacheBytes: config.cacheBytes,
    folder: join(config.output, "latents"),
  });
}

/** Batches with the tokens of their pictures. */
export class TrainingData {
  readonly batches: BatchStream;
  readonly faults: FaultySamples;
  readonly #latents: readonly (LatentStore | undefined)[];

  private constructor(
    batches: BatchStream,
    latents: readonly (LatentStore | undefined)[],
    faults: FaultySamples,
  ) {
    this.batches = batches;
    this.faults = faults;
    this.#latents = latents;
  }

  /** @throws ConfigError when the data does not suit the packing, and what {@link LatentStore.create} throws. */
  static async create(parts: TrainingDataParts, tars: TrainingTars): Promise<TrainingData> {
    const { config, tokenizer, faults, model } = parts;
    const { seed, batch, packing } = config;
    const ofGrids = { ...config, side: model.baseGridSize };
    const grids = trainingGrids(ofGrids);
    const limits = {
      maxLength: packing?.maxLength ?? Number.POSITIVE_INFINITY,
      maxImageTokens: mostImageTokens(ofGrids),
    };
    const latents: (LatentStore | undefined)[] = [];
    const sources: SampleSource[] = [];
    for (const [set, data] of tars.sets.entries()) {
      const own = tars.configs[set]!;
      const store = own.type === "nlp" ? undefined : await openLatents(parts, data, own.type);
      latents.push(store);
      sources.push(
        new SampleSource({ set, config: own, data, latents: store, faults }, tokenizer, config, limits),
      );
    }
    const { pad, eos } = tokenizer.specials;
    const { curriculum } = config;
    const options = { seed, batch, accumulate: config.loop.accumulate, pad };
    const batches =
      packing === null
        ? new PaddedBatches(sources, { ...options, curriculum })
        : new PackedBatches(sources, { ...options, ...packing, grids, eos });
    return new TrainingData(batches, latents, faults);
  }

  /** Clean tokens of a batch's images, in order. */
  async load(images: readonly PlannedImage[]): Promise<PictureTokens[]> {
    const loaded: PictureTokens[] = [];
    for (const [set, store] of this.#latents.entries()) {
      const places = images.flatMap((image, place) => (image.set === set ? [place] : []));
      if (places.length === 0 || store === undefined) continue;
      const tokens = await store.load(places.map((place) => images[place]!));
      places.forEach((place, index) => {
        loaded[place] = tokens[index]!;
      });
    }
    return loaded;
  }
}
