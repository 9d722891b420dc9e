/** @file Runs of reward learning: what they open, the run itself, and its rehearsal. */
import { createHash } from "node:crypto";
import type { ModelFolder } from "../../checkpoint/model-folder.ts";
import { openModelFolder } from "../../checkpoint/model-folder.ts";
import { lockFolder } from "../../files/folder-lock.ts";
import { LocalFolder } from "../../files/local-folder.ts";
import { readDefaultSettings } from "../../generate/default-settings.ts";
import { pixelsPerToken } from "../../generate/image-coder.ts";
import { trainedSide } from "../../generate/input-images.ts";
import { ModelSessions } from "../../generate/model-sessions.ts";
import { adaptableLinears, downName, trainedDelta, upName } from "../../model/adapter.ts";
import { ParameterScope } from "../../model/parameter-scope.ts";
import { availableMemory } from "../../node/available-memory.ts";
import { LocalEngine } from "../../runtime/node/local-engine.ts";
import { loadTokenizer } from "../../sequence/tokenizer.ts";
import { adaptedLinears, firstMatrices } from "../adapter/adapter-linears.ts";
import { refuseTooLarge } from "../adapter/adapter-memory.ts";
import { adapterOf } from "../adapter/trained-adapter.ts";
import { type Rehearsal, rehearse } from "../loop/rehearsal.ts";
import { runTraining, type TrainOptions, type TrainResult } from "../loop/run-loop.ts";
import { checkpointsOf } from "../loop/train-state.ts";
import { digestWeights } from "../loop/weights-digest.ts";
import { startDigest } from "../model/stage-inputs.ts";
import { createOptimizer } from "../model/stage-setup.ts";
import { initialModelWeights } from "../model/start-weights.ts";
import type { Trainable } from "../optimizer/trainable.ts";
import { type JsonValue, plainJson } from "../plain-json.ts";
import { adapterPolicy, weightsPolicy } from "./policy.ts";
import { PolicyGradient } from "./policy-gradient.ts";
import { readPromptList } from "./prompt-list.ts";
import { baseVelocities, replayGraph } from "./replay-graph.ts";
import type { Reward } from "./reward.ts";
import { rewardMemory } from "./reward-memory.ts";
import { RewardStage, type RewardStageParts } from "./reward-stage.ts";
import type { RewardTrainConfig } from "./reward-train-config.ts";
import { RewardValidation } from "./reward-validation.ts";
import type { RolloutSettings } from "./rollout.ts";
import { RolloutDrawer } from "./rollout-drawer.ts";

export interface RewardTrainOptions extends TrainOptions {
  /** What the config's `reward` stands for. */
  readonly reward: Reward;
}

/** What is trained. */
type Learner = Pick<RewardStageParts, "adapted" | "trainables">;

/** An adapter beside the base, or all of its weights that draw. */
async function learnerOf(base: ModelFolder, { adapter, seed }: RewardTrainConfig): Promise<Learner> {
  if (adapter === null) {
    const { parameters } = replayGraph(base.config, { maskPerRow: false, pulls: false });
    const drawing = new Set(
      parameters.map(({ producer }) => (producer.kind === "parameter" ? producer.name : "")),
    );
    const weights = base.parameters.filter(({ name }) => drawing.has(name));
    return { adapted: undefined, trainables: await initialModelWeights(weights, seed, base) };
  }
  const linears = adaptedLinears(adaptableLinears(base.parameters), adapter);
  const { weightPlan, weightSource } = base.tensors;
  const trained = new Set(linears.flatMap(({ name }) => [downName(name), upName(name)]));
  const network = {
    scope: () => new ParameterScope(weightPlan, trainedDelta(linears)),
    isTrained: (name: string) => trained.has(name),
    weights: weightSource,
  };
  return { adapted: { network, linears }, trainables: firstMatrices(linears, seed) };
}

/** Opens what training needs for as long as `use` takes. */
async function withRewardStage<Result>(
  config: RewardTrainConfig,
  { reward, signal }: Pick<RewardTrainOptions, "reward" | "signal">,
  use: (stage: RewardStage, prompts: readonly string[]) => Promise<Result>,
): Promise<Result> {
  const { groups, rollout, loop, pull } = config;
  const { threads, spin } = config.engine;
  const ownThreads = threads === null ? {} : { threads };
  const prompts = await readPromptList(config.prompts);
  const heldOut = config.validationPrompts === null ? null : await readPromptList(config.validationPrompts);
  await using engine = new LocalEngine({ spin, ...ownThreads });
  await using decoderEngine = new LocalEngine({ spin, ...ownThreads, memoryPattern: false });
  await using base = await openModelFolder(new LocalFolder(config.base));
  const decoding = new ModelSessions(decoderEngine, base);
  const tokenizer = await loadTokenizer(base.files);
  const { drawing } = await readDefaultSettings(base.files, base.release);
  const imageSize = config.imageSize ?? trainedSide(decoding);
  const settings: RolloutSettings = {
    ...{ tokenizer, size: [imageSize, imageSize], rowLag: drawing.rowLag, useNorm: drawing.useNorm },
    solver: { steps: rollout.steps, shift: rollout.shift, noiseLevel: rollout.noiseLevel },
    code: base.release === "v1" ? "P-A" : "P-B",
    together: rollout.together,
  };
  const learner = await learnerOf(base, config);
  const { adapted, trainables } = learner;
  if (config.checkMemory) refuseTooMuch(base, config, learner, (imageSize / pixelsPerToken(decoding)) ** 2);
  const policy =
    adapted === undefined
      ? weightsPolicy(() => new LocalEngine({ spin, ...ownThreads }), base)
      : adapterPolicy(engine, base, (weights) => adapterOf(adapted.linears, weights), trainables);
  const drawer = new RolloutDrawer(policy, decoding, settings);
  const staggered = drawing.rowLag !== null;
  const objective = new PolicyGradient(
    base.config,
    { draw: (wanted, solverStep) => drawer.draw(trainables, wanted, solverStep, signal) },
    {
      ...{ prompts, seed: config.seed, groups, rollout: settings, parts: loop.accumulate, reward, signal },
      network: adapted?.network,
      pull:
        pull === 0
          ? undefined
          : {
              weight: pull,
              base: await baseVelocities(engine, base.config, { maskPerRow: staggered }, base.tensors),
            },
    },
  );
  const stage = new RewardStage({
    ...{ engine, config, base, tokenizer, imageSize, rowLag: drawing.rowLag, trainables, objective, adapted },
    validation:
      heldOut === null ? undefined : new RewardValidation(drawer, reward, heldOut, config.validationPictures),
    inputs: await inputsOf(base, prompts),
    optimizer: await createOptimizer(engine, { optimizer: config.optimizer, muon: null }, trainables),
  });
  // Awaited here: weights and engines are closed when this function returns.
  return await use(stage, prompts);
}

function refuseTooMuch(
  base: ModelFolder,
  { groups, rollout, loop, pull }: RewardTrainConfig,
  { adapted, trainables }: Learner,
  cells: number,
): void {
  const pictures = groups.prompts * groups.size;
  const memory = rewardMemory(base, adapted?.network, {
    replayed: Math.ceil(pictures / loop.accumulate),
    drawn: Math.min(pictures, rollout.together),
    cells,
    trained: trainables.reduce((sum, { data }: Trainable) => sum + data.length, 0),
    pulls: pull > 0,
  });
  refuseTooLarge(memory, availableMemory(), "raise loop.accumulate, lower rollout.together or imageSize");
}

async function inputsOf(base: ModelFolder, prompts: readonly string[]): Promise<JsonValue> {
  const { autoencoder } = base;
  return {
    base: await startDigest(base),
    autoencoder:
      autoencoder === undefined ? null : await digestWeights(autoencoder.configJson, autoencoder.tensors),
    prompts: createHash("sha256").update(JSON.stringify(prompts)).digest("hex"),
  };
}

/**
 * Teaches a model by a reward; goes on where its output folder's newest checkpoint stands. The pictures of an update are
 * drawn again when it is taken again: a run that is continued ends with the same bits if the reward gives the same numbers
 * for the same pictures.
 * @returns where the adapter's or the model's folder is.
 * @throws InsufficientMemoryError before anything is bound; ConfigError, DataFormatError, ModelFormatError, what the reward
 * throws, AbortedError (after a checkpoint).
 */
export async function trainReward(
  config: RewardTrainConfig,
  { reward, ...options }: RewardTrainOptions,
): Promise<TrainResult> {
  await using _lock = await lockFolder(config.output, "trains");
  const { signal } = options;
  return await withRewardStage(config, { reward, ...(signal === undefined ? {} : { signal }) }, (stage) =>
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
 * @throws what {@link trainReward} throws before its first step.
 */
export async function rehearseReward(
  config: RewardTrainConfig,
  options: Pick<RewardTrainOptions, "reward" | "signal">,
): Promise<Rehearsal> {
  const done = await checkpointsOf(config.output).newestStep();
  const { size } = config.groups;
  return await withRewardStage(config, options, (stage, prompts) =>
    rehearse(
      stage,
      {
        samples: prompts.length,
        pictures: prompts.length * size,
        stretches: [{ steps: config.steps }],
        keptBytes: 0,
        sizesOf: ({ images }) => ({ groups: images / size }),
      },
      { config: config.loop, done, signal: options.signal },
    ),
  );
}
