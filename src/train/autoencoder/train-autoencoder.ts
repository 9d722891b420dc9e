/** @file Runs of autoencoder training: what they open, the run itself, and its rehearsal. */
import type { RgbImage } from "../../image/pixels.ts";
import { type AutoencoderConfig, pixelsPerLatent } from "../../model/autoencoder-config.ts";
import { LocalEngine } from "../../runtime/node/local-engine.ts";
import { TarDataset } from "../data/dataset-reader.ts";
import { ShardedEpochOrder } from "../data/epoch-order.ts";
import { FaultySamples } from "../data/faulty-samples.ts";
import { refuseUnmeant } from "../loop/config-sense.ts";
import { type Rehearsal, rehearse, type Workload } from "../loop/rehearsal.ts";
import { lockRun } from "../loop/run-lock.ts";
import { runTraining, type TrainOptions, type TrainResult } from "../loop/run-loop.ts";
import { checkpointsOf } from "../loop/train-state.ts";
import { plainJson } from "../plain-json.ts";
import { inputDigests } from "./autoencoder-identity.ts";
import { firstWeights } from "./autoencoder-setup.ts";
import { AutoencoderStage, SAMPLE_PICTURES } from "./autoencoder-stage.ts";
import type { AutoencoderTrainConfig } from "./autoencoder-train-config.ts";
import { GivenLatents } from "./given-latents.ts";
import { firstPictures, PictureStore } from "./picture-store.ts";
import type { ReconstructionPlan, VisitedPictures } from "./reconstruction.ts";

/** A stage while its engine and data are open. */
interface OpenStage {
  readonly stage: AutoencoderStage;
  readonly dataset: TarDataset;
  /** The perceptual loss is asked for, and its net is not there. */
  readonly isWithoutNet: boolean;
}

/** Opens what training needs for as long as `use` takes. */
async function withAutoencoderStage<Result>(
  config: AutoencoderTrainConfig,
  use: (open: OpenStage) => Promise<Result>,
): Promise<Result> {
  const { resolution, cacheBytes, data } = config;
  const { threads, spin } = config.engine;
  await using engine = new LocalEngine({ spin, ...(threads === null ? {} : { threads }) });
  await using dataset = await TarDataset.open(data, { cacheBytes: 0 });
  const weights = await firstWeights(config, engine);
  await using latents = await openLatents(config, weights.autoencoder, dataset);
  const faults = new FaultySamples(config.maxFaultyShare);
  const pictures = new PictureStore(firstPictures(dataset, data), resolution, cacheBytes, faults);
  const order = new ShardedEpochOrder(config.seed, dataset.tarLengths);
  const visits: VisitedPictures = {
    pictureAt: (visit) => pictures.at(order.sampleAt(visit)),
    ...(latents === undefined
      ? {}
      : { latentsAt: async (visit) => latents.at(await pictures.usableIndex(order.sampleAt(visit))) }),
  };
  const heldOut = await readHeldOut(config, faults);
  const samples =
    heldOut.length > 0 ? heldOut.slice(0, SAMPLE_PICTURES) : await pictures.first(SAMPLE_PICTURES);
  const hasFeatureNet = weights.featureNet !== undefined;
  const inputs = await inputDigests(config, { data: await dataset.fingerprint(), hasFeatureNet });
  const stage = new AutoencoderStage(config, engine, { inputs, visits, heldOut, samples, faults }, weights);
  // Awaited here: the data set and the engine are closed when this function returns.
  return await use({ stage, dataset, isWithoutNet: config.loss.perceptual !== null && !hasFeatureNet });
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

async function readHeldOut(config: AutoencoderTrainConfig, faults: FaultySamples): Promise<RgbImage[]> {
  const { validationData: path, resolution, validationPictures } = config;
  if (path === null) return [];
  await using dataset = await TarDataset.open(path, { cacheBytes: 0 });
  return await new PictureStore(firstPictures(dataset, path), resolution, 0, faults).first(
    validationPictures,
  );
}

function stepsOf({ phases }: AutoencoderTrainConfig): number {
  return phases.reduce((sum, phase) => sum + phase.steps, 0);
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
  const steps = stepsOf(config);
  refuseUnmeant(config.loop, steps, "phases");
  await using _lock = await lockRun(config.output);
  return await withAutoencoderStage(config, ({ stage, isWithoutNet }) => {
    if (isWithoutNet) {
      const text = `there is no ${config.loss.perceptual!.file}: the perceptual loss is off`;
      options.onEvent?.({ type: "note", step: 0, text });
    }
    const { loop, output } = config;
    return runTraining(stage, { config: loop, steps, output, settings: plainJson(config), ...options });
  });
}

/**
 * What a run would take, from a few steps of each of its phases. The run folder is only looked at.
 * @throws what {@link trainAutoencoder} throws before its first step.
 */
export async function rehearseAutoencoder(
  config: AutoencoderTrainConfig,
  { signal }: Pick<TrainOptions, "signal"> = {},
): Promise<Rehearsal> {
  refuseUnmeant(config.loop, stepsOf(config), "phases");
  const done = await checkpointsOf(config.output).newestStep();
  return await withAutoencoderStage(config, ({ stage, dataset }) =>
    rehearse(stage, workloadOf(config, dataset), { config: config.loop, done, signal }),
  );
}

function workloadOf(
  { phases, cacheBytes, resolution }: AutoencoderTrainConfig,
  { length }: TarDataset,
): Workload<ReconstructionPlan> {
  return {
    samples: length,
    pictures: length,
    stretches: phases,
    keptBytes: Math.min(cacheBytes, 3 * resolution ** 2 * length),
    sizesOf: ({ phase, images }) => ({ pixels: images * phase.crop ** 2 }),
  };
}
