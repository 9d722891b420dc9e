/** @file Runs of adapter training: what they open, the run itself, and its rehearsal. */
import { openAutoencoderFolder } from "../../checkpoint/autoencoder-folder.ts";
import { openModelFolder } from "../../checkpoint/model-folder.ts";
import { lockFolder } from "../../files/folder-lock.ts";
import { LocalFolder } from "../../files/local-folder.ts";
import { adaptableLinears, downName, trainedDelta, upName } from "../../model/adapter.ts";
import { ParameterScope } from "../../model/parameter-scope.ts";
import { availableMemory } from "../../node/available-memory.ts";
import { LocalEngine } from "../../runtime/node/local-engine.ts";
import { loadTokenizer } from "../../sequence/tokenizer.ts";
import { FaultySamples } from "../data/faulty-samples.ts";
import { type Rehearsal, rehearse, withRehearsalConfig } from "../loop/rehearsal.ts";
import { runTraining, type TrainOptions, type TrainResult } from "../loop/run-loop.ts";
import { checkpointsOf } from "../loop/train-state.ts";
import { refuseUnmeantModel } from "../model/model-config-sense.ts";
import { mostImageTokens, TrainingData, TrainingTars } from "../model/stage-data.ts";
import { inputDigests } from "../model/stage-inputs.ts";
import { autoencoderPath, baseConfig, createOptimizer } from "../model/stage-setup.ts";
import { createValidation, refuseMistakenTypes, workloadOf } from "../model/train-model.ts";
import { surveyTraining } from "../model/trained-on.ts";
import type { FrozenBase } from "../objective/frozen-base.ts";
import { plainJson } from "../plain-json.ts";
import { droppedBy } from "./adapter-dropout.ts";
import { adaptedLinears, firstMatrices } from "./adapter-linears.ts";
import { adapterMemory, refuseTooLarge } from "./adapter-memory.ts";
import { AdapterStage } from "./adapter-stage.ts";
import { type AdapterTrainConfig, asModelConfig } from "./adapter-train-config.ts";

interface OpenStage {
  readonly stage: AdapterStage;
  readonly tars: TrainingTars;
}

/** Opens what training needs for as long as `use` takes. */
async function withAdapterStage<Result>(
  config: AdapterTrainConfig,
  use: (open: OpenStage) => Promise<Result>,
): Promise<Result> {
  const plain = asModelConfig(config);
  const { threads, spin } = config.engine;
  await using engine = new LocalEngine({ spin, ...(threads === null ? {} : { threads }) });
  await using tars = await TrainingTars.open(config.data);
  await refuseMistakenTypes(plain, tars);
  await using base = await openModelFolder(new LocalFolder(config.base));
  await using autoencoder = await openAutoencoderFolder(new LocalFolder(await autoencoderPath(config.base)));
  const tokenizer = await loadTokenizer(base.files);
  const model = baseConfig(plain, tokenizer, autoencoder, base, {
    where: config.base,
    remedy: "train the model itself: an adapter adds no rows",
  });
  const linears = adaptedLinears(adaptableLinears(base.parameters), config.adapter);
  const { weightPlan, weightSource } = base.tensors;
  const trained = new Set(linears.flatMap(({ name }) => [downName(name), upName(name)]));
  const network = (dropout: number): FrozenBase => ({
    scope: () =>
      new ParameterScope(weightPlan, trainedDelta(linears, dropout === 0 ? undefined : droppedBy(linears))),
    isTrained: (name) => trained.has(name),
    weights: weightSource,
  });
  const training = network(config.adapter.dropout);
  const trainables = firstMatrices(linears, config.seed);
  if (config.checkMemory) {
    const update = {
      rows: config.batch,
      imageTokens: config.packing?.maxLength ?? mostImageTokens({ ...config, side: model.baseGridSize }),
      parameters: trainables.reduce((sum, { data }) => sum + data.length, 0),
      validates: config.validationData !== null,
      gradientCheckpointing: config.gradientCheckpointing,
    };
    refuseTooLarge(adapterMemory(base, model, network(0), update), availableMemory());
  }
  const faults = new FaultySamples(config.maxFaultyShare);
  const parts = { engine, config: plain, tokenizer, autoencoder, model, faults };
  const validation = await createValidation(parts, network(0));
  const data = await TrainingData.create(parts, tars);
  const stage = new AdapterStage({
    ...{ engine, config, model, base, tokenizer, data, linears, network: training, trainables, validation },
    survey: () => surveyTraining({ ...plain, pixelsPerToken: config.imageSize / model.baseGridSize }, tars),
    inputs: await inputDigests({ config: plain, tars, autoencoder, start: base }),
    optimizer: await createOptimizer(engine, plain, trainables),
  });
  // Awaited here: data, weights and engine are closed when this function returns.
  return await use({ stage, tars });
}

/**
 * Trains an adapter; goes on where its output folder's newest checkpoint stands.
 * @returns where the adapter's folder is, in PEFT's layout.
 * @throws InsufficientMemoryError before anything is bound; ConfigError, DataFormatError, ModelFormatError, AbortedError
 * (after a checkpoint).
 */
export async function trainAdapter(
  config: AdapterTrainConfig,
  options: TrainOptions = {},
): Promise<TrainResult> {
  refuseUnmeantModel(asModelConfig(config));
  await using _lock = await lockFolder(config.output, "trains");
  return await withAdapterStage(config, ({ stage }) =>
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
 * What a run would take, from a few steps of it that are thrown away.
 * @throws what {@link trainAdapter} throws before its first step.
 */
export async function rehearseAdapter(
  config: AdapterTrainConfig,
  { signal }: Pick<TrainOptions, "signal"> = {},
): Promise<Rehearsal> {
  const plain = asModelConfig(config);
  refuseUnmeantModel(plain);
  const done = await checkpointsOf(config.output).newestStep();
  return await withRehearsalConfig(config, (own) =>
    withAdapterStage(own, ({ stage, tars }) =>
      rehearse(stage, workloadOf(plain, stage.model, tars), { config: config.loop, done, signal }),
    ),
  );
}
