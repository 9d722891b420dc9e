/** @file Runs of model training: what they open, the run itself, and its rehearsal. */
import { join } from "node:path";
import { openAutoencoderFolder } from "../../checkpoint/autoencoder-folder.ts";
import { openModelFolder } from "../../checkpoint/model-folder.ts";
import { lockFolder } from "../../files/folder-lock.ts";
import { LocalFolder } from "../../files/local-folder.ts";
import { type NextStepConfig, tokenWidth } from "../../model/config.ts";
import { modelParameters } from "../../model/parameter-list.ts";
import { LocalEngine } from "../../runtime/node/local-engine.ts";
import { TarDataset } from "../data/dataset-reader.ts";
import { FaultySamples } from "../data/faulty-samples.ts";
import { type Rehearsal, rehearse, type Workload, withRehearsalConfig } from "../loop/rehearsal.ts";
import { runTraining, type TrainOptions, type TrainResult } from "../loop/run-loop.ts";
import { checkpointsOf } from "../loop/train-state.ts";
import type { FrozenBase } from "../objective/frozen-base.ts";
import { plainJson } from "../plain-json.ts";
import { refuseMistakenType } from "./data-type-sense.ts";
import { refuseUnmeantModel } from "./model-config-sense.ts";
import { ModelStage } from "./model-stage.ts";
import type { ModelTrainConfig } from "./model-train-config.ts";
import { partWeights } from "./part-rates.ts";
import type { PretrainingPlan } from "./pretraining.ts";
import {
  mostImageTokens,
  openLatents,
  TrainingData,
  type TrainingDataParts,
  TrainingTars,
} from "./stage-data.ts";
import { inheritedSettings, inputDigests } from "./stage-inputs.ts";
import { autoencoderPath, createOptimizer, modelConfig, prepareTokenizer } from "./stage-setup.ts";
import { heldOutSamples, ModelValidation } from "./stage-validation.ts";
import { initialModelWeights } from "./start-weights.ts";
import { surveyTraining } from "./trained-on.ts";

/** A stage while its engine and data are open, and how much work there is. */
interface OpenStage {
  readonly stage: ModelStage;
  readonly model: NextStepConfig;
  readonly tars: TrainingTars;
}

/** Opens what training needs for as long as `use` takes. */
async function withModelStage<Result>(
  config: ModelTrainConfig,
  use: (open: OpenStage) => Promise<Result>,
): Promise<Result> {
  const { threads, spin } = config.engine;
  await using engine = new LocalEngine({ spin, ...(threads === null ? {} : { threads }) });
  await using tars = await TrainingTars.open(config.data);
  await refuseMistakenTypes(config, tars);
  await using autoencoder = await openAutoencoderFolder(
    new LocalFolder(await autoencoderPath(config.autoencoder)),
  );
  await using start =
    config.start === null
      ? undefined
      : await openModelFolder(new LocalFolder(config.start), { startWeights: true });
  const tokenizerPath = join(config.output, "tokenizer");
  const tokenizer = await prepareTokenizer(tokenizerPath, config, tars.sets);
  const model = modelConfig(config, tokenizer, autoencoder, start);
  const faults = new FaultySamples(config.maxFaultyShare);
  const parts = { engine, config, tokenizer, autoencoder, model, faults };
  const weights = partWeights(
    await initialModelWeights(modelParameters(model), config.seed, start),
    config.rates,
  );
  const validation = await createValidation(parts, weights.base);
  const data = await TrainingData.create(parts, tars);
  const stage = new ModelStage({
    ...{ engine, config, model, tokenizer, tokenizerPath, autoencoder, data, weights, validation },
    inputs: await inputDigests({ config, tars, autoencoder, start }),
    inherited: await inheritedSettings(config, start),
    survey: () => surveyTraining({ ...config, pixelsPerToken: config.imageSize / model.baseGridSize }, tars),
    optimizer: await createOptimizer(engine, config, weights.trained),
  });
  // Awaited here: data, weights and engine are closed when this function returns.
  return await use({ stage, model, tars });
}

/** @throws ConfigError for a data set that looks like one of another type than it is said to be. */
export async function refuseMistakenTypes(
  { data, captions }: ModelTrainConfig,
  tars: TrainingTars,
): Promise<void> {
  for (const [index, { type, captions: own }] of tars.configs.entries()) {
    const field = typeof data === "string" ? "data" : `data.${index}.type`;
    await refuseMistakenType(tars.sets[index]!, type, own ?? captions, field);
  }
}

/**
 * The held-out samples of a config, if it has some.
 * @param base where some weights are not trained.
 */
export async function createValidation(
  parts: TrainingDataParts,
  base?: FrozenBase,
): Promise<ModelValidation | undefined> {
  const { engine, config, tokenizer, model, faults } = parts;
  const { validationData: set } = config;
  if (set === null || model.imageLossWeight <= 0) return undefined;
  await using data = await TarDataset.open(set, { cacheBytes: 0 });
  await refuseMistakenType(data, "image_text_pair", config.captions, "validationData");
  const latents = await openLatents(parts, data, "image_text_pair");
  try {
    const samples = await heldOutSamples(data, latents, tokenizer, config, { found: faults, set });
    const { pad } = tokenizer.specials;
    return await ModelValidation.create(engine, model, samples, latents, {
      ...{ pad, rowLag: config.rowLag },
      ...(base === undefined ? {} : { base }),
    });
  } finally {
    await latents.dispose();
  }
}

/**
 * Trains a model; goes on where its output folder's newest checkpoint stands.
 * @returns where the model folder is, in the official layout with tokenizer files and `vae/`.
 * @throws ConfigError, DataFormatError, ModelFormatError, AbortedError (after a checkpoint).
 */
export async function trainModel(config: ModelTrainConfig, options: TrainOptions = {}): Promise<TrainResult> {
  refuseUnmeantModel(config);
  await using _lock = await lockFolder(config.output, "trains");
  return await withModelStage(config, ({ stage }) =>
    runTraining(stage, {
      config: config.loop,
      steps: config.steps,
      output: config.output,
      settings: plainJson(config),
      ...options,
    }),
  );
}

/**
 * What a run would take, from a few steps of it. The run folder is only looked at: tokenizer and tokens of pictures are
 * made in a temporary folder, which is removed.
 * @throws what {@link trainModel} throws before its first step.
 */
export async function rehearseModel(
  config: ModelTrainConfig,
  { signal }: Pick<TrainOptions, "signal"> = {},
): Promise<Rehearsal> {
  refuseUnmeantModel(config);
  const done = await checkpointsOf(config.output).newestStep();
  return await withRehearsalConfig(config, (own) =>
    withModelStage(own, ({ stage, model, tars }) =>
      rehearse(stage, workloadOf(config, model, tars), { config: config.loop, done, signal }),
    ),
  );
}

/** What a run has to do, for its rehearsal. */
export function workloadOf(
  config: ModelTrainConfig,
  model: NextStepConfig,
  { configs, sets }: TrainingTars,
): Workload<PretrainingPlan> {
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  const withPictures = sets.filter((_set, index) => configs[index]!.type !== "nlp");
  const pictures = sum(withPictures.map((set) => set.pictures));
  const tokens = mostImageTokens({ ...config, side: model.baseGridSize });
  return {
    samples: sum(sets.map(({ length }) => length)),
    pictures,
    stretches: [{ steps: config.steps }],
    keptBytes: Math.min(
      config.cacheBytes,
      Float32Array.BYTES_PER_ELEMENT * pictures * tokens * tokenWidth(model),
    ),
    sizesOf: ({ batches, counts }) => ({
      rows: sum(batches.map(({ rows }) => rows.rows)),
      tokens: sum(batches.map(({ rows }) => rows.ids.length)),
      "predicted text tokens": counts.lm,
      "predicted image tokens": counts.predictions,
    }),
  };
}
