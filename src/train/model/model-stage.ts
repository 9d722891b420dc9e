/**
 * @file Training of the model: captions and image tokens in one sequence, by next-token prediction
 * (docs/nextstep-spec.md 4).
 */
import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { type AutoencoderFolder, openAutoencoderFolder } from "../../checkpoint/autoencoder-folder.ts";
import { openModelFolder } from "../../checkpoint/model-folder.ts";
import { FolderLock } from "../../files/folder-lock.ts";
import { LocalFolder } from "../../files/local-folder.ts";
import { tensorsToWrite } from "../../formats/tensor-source.ts";
import { NEXTSTEP_FILE } from "../../generate/default-settings.ts";
import { type NextStepConfig, toConfigJson } from "../../model/config.ts";
import { modelParameters } from "../../model/parameter-list.ts";
import { writeModelFolder } from "../../node/write-model-folder.ts";
import type { Engine } from "../../runtime/engine.ts";
import { LocalEngine } from "../../runtime/node/local-engine.ts";
import { areaIds, gridText } from "../../sequence/segments.ts";
import type { TextTokenizer } from "../../sequence/tokenizer.ts";
import { float32Tensor } from "../../tensor/tensor.ts";
import { TarDataset } from "../data/dataset-reader.ts";
import type { FaultySamples } from "../data/faulty-samples.ts";
import { runTraining, type TrainOptions, type TrainResult, type TrainStage } from "../loop/run-loop.ts";
import type { LossSums } from "../objective/objective.ts";
import { PartGradients } from "../objective/part-gradients.ts";
import type { Optimizer } from "../optimizer/optimizer.ts";
import type { NamedBuffer, Trainable } from "../optimizer/trainable.ts";
import { type JsonValue, plainJson } from "../plain-json.ts";
import { refuseUnmeantModel } from "./model-config-sense.ts";
import type { ModelTrainConfig } from "./model-train-config.ts";
import { Pretraining, type PretrainingPlan } from "./pretraining.ts";
import {
  openLatents,
  TrainingData,
  type TrainingDataParts,
  TrainingTars,
  trainingGrids,
} from "./stage-data.ts";
import { drawingDefaults, inputDigests } from "./stage-inputs.ts";
import { drawPromptGrid } from "./stage-preview.ts";
import { autoencoderPath, createOptimizer, modelConfig, prepareTokenizer } from "./stage-setup.ts";
import { heldOutSamples, ModelValidation } from "./stage-validation.ts";
import { initialModelWeights } from "./start-weights.ts";

/** Graphs of a batch: with pictures, without, with pictures that are only read; one mask or one a row. */
const MOST_SESSIONS = 4;

interface StageParts {
  readonly engine: Engine;
  readonly config: ModelTrainConfig;
  readonly model: NextStepConfig;
  readonly tokenizer: TextTokenizer;
  /** Folder of the tokenizer's files. */
  readonly tokenizerPath: string;
  readonly autoencoder: AutoencoderFolder;
  readonly data: TrainingData;
  /** Digests of what the weights depend on beside the settings. */
  readonly inputs: JsonValue;
  /** Content of nextstep.json. */
  readonly drawingDefaults: JsonValue;
  readonly trainables: readonly Trainable[];
  readonly optimizer: Optimizer;
  readonly validation: ModelValidation | undefined;
}

class ModelStage implements TrainStage<PretrainingPlan> {
  readonly trainables: readonly Trainable[];
  readonly optimizer: Optimizer;
  readonly identity: JsonValue;
  readonly adjustable: JsonValue;
  readonly learningRate: number;
  readonly faults: FaultySamples;
  readonly planner: Pretraining;
  /** Left out without prompts. */
  readonly drawSamples?: (weights: readonly NamedBuffer[]) => Promise<Uint8Array>;
  readonly #parts: StageParts;
  readonly #gradients: PartGradients<PretrainingPlan>;

  constructor(parts: StageParts) {
    this.#parts = parts;
    const { engine, config, model, data, trainables } = parts;
    const { seed, readNoise, swapTokens } = config;
    this.trainables = trainables;
    this.optimizer = parts.optimizer;
    this.identity = identityOf(parts);
    this.adjustable = adjustableOf(config);
    this.learningRate = config.optimizer.learningRate;
    this.faults = data.faults;
    this.planner = new Pretraining(model, data, {
      seed,
      corruption: { noise: readNoise, swap: swapTokens },
    });
    this.#gradients = new PartGradients(engine, this.planner, trainables, MOST_SESSIONS);
    if (config.samples.prompts.length > 0) this.drawSamples = (weights) => this.#drawPrompts(weights);
  }

  compute(plan: PretrainingPlan, part: number, isFirst: boolean): Promise<LossSums> {
    return this.#gradients.compute(plan, part, isFirst);
  }

  async validate(weights: readonly NamedBuffer[]): Promise<Record<string, number>> {
    return (await this.#parts.validation?.run(weights)) ?? {};
  }

  async #drawPrompts(weights: readonly NamedBuffer[]): Promise<Uint8Array> {
    const { config, tokenizer } = this.#parts;
    const folder = join(config.output, "samples", ".model");
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
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
    const grids = trainingGrids(config);
    const { drawingDefaults: defaults } = this.#parts;
    await writeFile(join(folder, NEXTSTEP_FILE), `${JSON.stringify(defaults, undefined, 2)}\n`);
    const written = join(folder, ".model");
    await writeModelFolder(written, {
      configJson: {
        ...toConfigJson({ ...model, autoencoderPath: "vae" }),
        hw_aspect_ratios_ids: Object.fromEntries(
          grids.map((grid) => [gridText(grid), areaIds(tokenizer, grid)]),
        ),
      },
      tensors,
      tokenizer: new LocalFolder(tokenizerPath),
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

/** Everything that decides the weights; periods and paths do not. */
function identityOf({ config, model, inputs }: StageParts): JsonValue {
  const { imageSize, seed, batch, packing, captions, dropText, dropCaption, textTokenizer } = config;
  const { accumulate, maxGradientNorm, schedule, ema } = config.loop;
  const { learningRate: _rate, ...optimizer } = config.optimizer;
  return {
    stage: "model",
    inputs,
    data:
      typeof config.data === "string"
        ? null
        : config.data.map(({ type, samples: weight, captions: own, filter }) =>
            plainJson({ type, samples: weight, captions: own, filter }),
          ),
    model: plainJson(toConfigJson(model)),
    ...{ imageSize, aspectBuckets: config.aspectBuckets, seed, batch, packing },
    textTokenizer: typeof textTokenizer === "string" ? null : textTokenizer,
    captions: plainJson(captions),
    ...{ dropText, dropCaption, readNoise: config.readNoise, swapTokens: config.swapTokens },
    optimizer,
    muon: config.muon === null ? null : plainJson({ ...config.muon, learningRate: undefined }),
    loop: { accumulate, maxGradientNorm, schedule, ema },
  };
}

/** What may be changed when a run is continued. Another number of threads rounds differently. */
function adjustableOf({ steps, optimizer, muon, engine }: ModelTrainConfig): JsonValue {
  return {
    steps,
    learningRate: optimizer.learningRate,
    muonLearningRate: muon?.learningRate ?? null,
    threads: engine.threads ?? availableParallelism(),
  };
}

/**
 * Trains a model; goes on where its output folder's newest checkpoint stands.
 * @returns where the model folder is, in the official layout with tokenizer files and `vae/`.
 * @throws ConfigError, DataFormatError, ModelFormatError, AbortedError (after a checkpoint).
 */
export async function trainModel(config: ModelTrainConfig, options: TrainOptions = {}): Promise<TrainResult> {
  const { threads, spin } = config.engine;
  refuseUnmeantModel(config);
  await using _lock = await FolderLock.acquire(config.output, "trains");
  await using engine = new LocalEngine({ spin, ...(threads === null ? {} : { threads }) });
  await using tars = await TrainingTars.open(config.data);
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
  const { signal } = options;
  const parts = { engine, config, tokenizer, autoencoder, patch: model.latentPatchSize, signal };
  const validation = await createValidation(parts, model);
  const data = await TrainingData.create(parts, tars);
  const trainables = await initialModelWeights(modelParameters(model), config.seed, start);
  const stage = new ModelStage({
    ...{ engine, config, model, tokenizer, tokenizerPath, autoencoder, data, trainables, validation },
    inputs: await inputDigests({ config, tars, autoencoder, start }),
    drawingDefaults: await drawingDefaults(config, start),
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
  parts: TrainingDataParts,
  model: NextStepConfig,
): Promise<ModelValidation | undefined> {
  const { engine, config, tokenizer } = parts;
  if (config.validationData === null || model.imageLossWeight <= 0) return undefined;
  await using data = await TarDataset.open(config.validationData, { cacheBytes: 0 });
  const latents = await openLatents(parts, data, "image_text_pair");
  const samples = await heldOutSamples(data, latents, tokenizer, config);
  const validation = await ModelValidation.create(engine, model, samples, latents, tokenizer.specials.pad);
  await latents.dispose();
  return validation;
}
