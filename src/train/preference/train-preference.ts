/** @file Runs of preference training: what they open, the run itself, and its rehearsal. */
import { join } from "node:path";
import { type AutoencoderFolder, openAutoencoderFolder } from "../../checkpoint/autoencoder-folder.ts";
import { type ModelFolder, openModelFolder } from "../../checkpoint/model-folder.ts";
import { lockFolder } from "../../files/folder-lock.ts";
import { LocalFolder } from "../../files/local-folder.ts";
import { pixelsPerLatent } from "../../model/autoencoder-config.ts";
import { type NextStepConfig, tokenWidth } from "../../model/config.ts";
import { availableMemory } from "../../node/available-memory.ts";
import type { Engine } from "../../runtime/engine.ts";
import { LocalEngine } from "../../runtime/node/local-engine.ts";
import { loadTokenizer } from "../../sequence/tokenizer.ts";
import { adapterMemory, refuseTooLarge } from "../adapter/adapter-memory.ts";
import { adapterPolicy, modelPolicy, type Policy } from "../adapter/policy.ts";
import { refuseUnmeant } from "../loop/config-sense.ts";
import { type Rehearsal, rehearse, type Workload, withRehearsalConfig } from "../loop/rehearsal.ts";
import { runTraining, type TrainOptions, type TrainResult } from "../loop/run-loop.ts";
import { checkpointsOf } from "../loop/train-state.ts";
import { digestWeights } from "../loop/weights-digest.ts";
import { LatentStore } from "../model/latent-store.ts";
import { mostImageTokens } from "../model/stage-data.ts";
import { DIGESTED_BYTES } from "../model/stage-inputs.ts";
import { autoencoderPath, baseConfig, createOptimizer } from "../model/stage-setup.ts";
import { plainJson } from "../plain-json.ts";
import { PairErrorSession } from "./pair-error-session.ts";
import { PairFolder } from "./pair-folder.ts";
import type { PreferencePlan, Reference, TokenPairs } from "./preference-objective.ts";
import { PreferenceStage } from "./preference-stage.ts";
import type { PreferenceTrainConfig } from "./preference-train-config.ts";
import { PreferenceValidation } from "./preference-validation.ts";

interface OpenStage {
  readonly stage: PreferenceStage;
  readonly model: NextStepConfig;
  readonly imageSize: number;
  readonly pairs: number;
}

/** Opens what training needs for as long as `use` takes. */
async function withPreferenceStage<Result>(
  config: PreferenceTrainConfig,
  use: (open: OpenStage) => Promise<Result>,
): Promise<Result> {
  const { threads, spin } = config.engine;
  await using engine = new LocalEngine({ spin, ...(threads === null ? {} : { threads }) });
  const folder = await PairFolder.open(config.pairs);
  const heldOut = config.validationPairs === null ? undefined : await PairFolder.open(config.validationPairs);
  await using base = await openModelFolder(new LocalFolder(config.base), {
    startWeights: config.adapter === null,
  });
  await using autoencoder = await openAutoencoderFolder(new LocalFolder(await autoencoderPath(config.base)));
  const tokenizer = await loadTokenizer(base.files);
  const imageSize = config.imageSize ?? base.config.latentSize * pixelsPerLatent(autoencoder.config);
  const model = baseConfig({ model: {}, imageSize }, tokenizer, autoencoder, base, {
    where: config.base,
    remedy: "train the model itself first",
  });
  const policy = await openPolicy(config, base, model, imageSize);
  const rowLag = config.rowLag;
  const reference: Reference = {
    session: await PairErrorSession.create(engine, model, { isOrdered: rowLag !== null }, policy.frozen),
    // Before a checkpoint changes them.
    weights: policy.trainables.map(({ name, shape, data }) => ({ name, shape, data: data.slice() })),
  };
  const withLatents = (own: PairFolder): Promise<TokenPairs> =>
    openLatents(engine, own, autoencoder, { config, imageSize, patch: model.latentPatchSize });
  const validation =
    heldOut === undefined
      ? undefined
      : await PreferenceValidation.create(await withLatents(heldOut), {
          ...{ model, tokenizer, rowLag, reference, utility: config.utility, beta: config.beta },
        });
  const stage = new PreferenceStage({
    ...{ engine, config, model, imageSize, tokenizer, policy, reference, validation },
    data: await withLatents(folder),
    optimizer: await createOptimizer(engine, { ...config, muon: null, rates: {} }, policy.trainables),
    inputs: {
      pairs: await folder.fingerprint(),
      base: await digestWeights(base.configJson, base.tensors, DIGESTED_BYTES),
      autoencoder: await digestWeights(autoencoder.configJson, autoencoder.tensors),
    },
  });
  // Awaited here: weights and engine are closed when this function returns.
  return await use({ stage, model, imageSize, pairs: folder.length });
}

async function openPolicy(
  config: PreferenceTrainConfig,
  base: ModelFolder,
  model: NextStepConfig,
  imageSize: number,
): Promise<Policy> {
  const { adapter, seed, batch, checkMemory, gradientCheckpointing } = config;
  if (adapter === null) return modelPolicy(base, model, seed);
  const policy = adapterPolicy(base, { ...adapter, dropout: 0 }, seed);
  if (checkMemory && policy.frozen !== undefined) {
    const update = {
      rows: 2 * batch,
      imageTokens: mostImageTokens({ ...config, imageSize, side: model.baseGridSize }),
      parameters: policy.trainables.reduce((sum, { data }) => sum + data.length, 0),
      // The reference's session holds the base as that of a validation does.
      validates: true,
      gradientCheckpointing,
    };
    refuseTooLarge(adapterMemory(base, model, policy.frozen, update), availableMemory());
  }
  return policy;
}

async function openLatents(
  engine: Engine,
  folder: PairFolder,
  autoencoder: AutoencoderFolder,
  own: { readonly config: PreferenceTrainConfig; readonly imageSize: number; readonly patch: number },
): Promise<TokenPairs> {
  const { output, aspectBuckets, cacheBytes } = own.config;
  const latents = await LatentStore.create(engine, folder, autoencoder, {
    ...{ patch: own.patch, imageSize: own.imageSize, aspectBuckets, matchSizes: false, cacheBytes },
    folder: join(output, "latents"),
  });
  return { folder, latents };
}

/**
 * Trains on pairs of pictures; goes on where its output folder's newest checkpoint stands.
 * @returns where the adapter's folder is, in PEFT's layout, or the model's.
 * @throws InsufficientMemoryError before anything is bound; ConfigError, DataFormatError, ModelFormatError, AbortedError
 * (after a checkpoint).
 */
export async function trainPreference(
  config: PreferenceTrainConfig,
  options: TrainOptions = {},
): Promise<TrainResult> {
  refuseUnmeant(config.loop, config.steps, "steps");
  await using _lock = await lockFolder(config.output, "trains");
  return await withPreferenceStage(config, ({ stage }) =>
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
 * @throws what {@link trainPreference} throws before its first step.
 */
export async function rehearsePreference(
  config: PreferenceTrainConfig,
  { signal }: Pick<TrainOptions, "signal"> = {},
): Promise<Rehearsal> {
  refuseUnmeant(config.loop, config.steps, "steps");
  const done = await checkpointsOf(config.output).newestStep();
  return await withRehearsalConfig(config, (own) =>
    withPreferenceStage(own, (open) =>
      rehearse(open.stage, workloadOf(config, open), { config: config.loop, done, signal }),
    ),
  );
}

function workloadOf(
  { steps, cacheBytes }: PreferenceTrainConfig,
  { model, pairs }: OpenStage,
): Workload<PreferencePlan> {
  const bytes = model.baseGridSize ** 2 * tokenWidth(model) * Float32Array.BYTES_PER_ELEMENT;
  const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  return {
    ...{ samples: pairs, pictures: 2 * pairs, stretches: [{ steps }] },
    keptBytes: Math.min(cacheBytes, 2 * pairs * bytes),
    sizesOf: (plan) => ({
      pairs: plan.pairs.flat().length,
      "predicted image tokens": 2 * sum(plan.cells.flat()),
    }),
  };
}
