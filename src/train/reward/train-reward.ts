/** @file Runs of reward learning: what they open, the run itself, and its rehearsal. */
import { createHash } from "node:crypto";
import type { ModelFolder } from "../../checkpoint/model-folder.ts";
import { openModelFolder } from "../../checkpoint/model-folder.ts";
import { ConfigError } from "../../errors.ts";
import { lockFolder } from "../../files/folder-lock.ts";
import { LocalFolder } from "../../files/local-folder.ts";
import { readDefaultSettings } from "../../generate/default-settings.ts";
import { DrawingOrder } from "../../generate/drawing-order.ts";
import { pixelsPerToken } from "../../generate/image-coder.ts";
import { trainedSide } from "../../generate/input-images.ts";
import { ModelSessions } from "../../generate/model-sessions.ts";
import { availableMemory } from "../../node/available-memory.ts";
import { LocalEngine } from "../../runtime/node/local-engine.ts";
import { gridOf } from "../../sequence/segments.ts";
import { loadTokenizer } from "../../sequence/tokenizer.ts";
import { refuseTooLarge } from "../adapter/adapter-memory.ts";
import { adapterPolicy, modelPolicy, type Policy } from "../adapter/policy.ts";
import { refuseUnmeant } from "../loop/config-sense.ts";
import { type Rehearsal, rehearse } from "../loop/rehearsal.ts";
import { runTraining, type TrainOptions, type TrainResult } from "../loop/run-loop.ts";
import { checkpointsOf } from "../loop/train-state.ts";
import { digestWeights } from "../loop/weights-digest.ts";
import { DIGESTED_BYTES } from "../model/stage-inputs.ts";
import { createOptimizer } from "../model/stage-setup.ts";
import { type JsonValue, plainJson } from "../plain-json.ts";
import { adapterWeights, modelWeights } from "./drawing-weights.ts";
import { PolicyGradient } from "./policy-gradient.ts";
import { readPromptList } from "./prompt-list.ts";
import { baseVelocities } from "./replay-graph.ts";
import type { Reward } from "./reward.ts";
import { type RewardUpdate, rewardMemory } from "./reward-memory.ts";
import { RewardStage } from "./reward-stage.ts";
import type { RewardTrainConfig } from "./reward-train-config.ts";
import { RewardValidation } from "./reward-validation.ts";
import type { RolloutSettings } from "./rollout.ts";
import { RolloutDrawer } from "./rollout-drawer.ts";

/** What the config's `reward` stands for. */
export interface RewardSource {
  readonly reward: Reward;
  /** Of what its numbers follow from beside its name: a run is only continued with the same. */
  readonly identity?: JsonValue;
  /** @throws for a prompt whose pictures it cannot judge. */
  readonly refuseUnjudged?: (prompts: readonly string[]) => void;
}

export interface RewardTrainOptions extends TrainOptions, RewardSource {}

/** Opens what training needs for as long as `use` takes. */
async function withRewardStage<Result>(
  config: RewardTrainConfig,
  { reward, refuseUnjudged, identity = null, signal }: RewardSource & Pick<TrainOptions, "signal">,
  use: (stage: RewardStage, prompts: readonly string[]) => Promise<Result>,
): Promise<Result> {
  const { groups, rollout, loop, pull } = config;
  const learntSteps = replaySteps(config);
  const { threads, spin } = config.engine;
  const ownThreads = threads === null ? {} : { threads };
  const prompts = await readPromptList(config.prompts);
  const heldOut = config.validationPrompts === null ? null : await readPromptList(config.validationPrompts);
  refuseUnjudged?.([...prompts, ...(heldOut ?? [])]);
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
  const { adapter } = config;
  const policy =
    adapter === null
      ? await modelPolicy(base, base.config, config.seed)
      : adapterPolicy(base, { ...adapter, dropout: 0 }, config.seed);
  const { trainables } = policy;
  const [side] = gridOf([imageSize, imageSize], "imageSize", pixelsPerToken(decoding));
  if (config.checkMemory) refuseTooMuch(base, config, policy, { cells: side ** 2, steps: learntSteps });
  const weights =
    policy.adapter === undefined
      ? modelWeights(() => new LocalEngine({ spin, ...ownThreads }), base)
      : adapterWeights(engine, base, policy.adapter, trainables);
  const drawer = new RolloutDrawer(weights, decoding, settings);
  const { staggered } = new DrawingOrder([side, side], drawing.rowLag);
  const objective = new PolicyGradient(
    base.config,
    { draw: (wanted, solverSteps) => drawer.draw(trainables, wanted, solverSteps, signal) },
    {
      ...{ prompts, seed: config.seed, groups, rollout: settings, parts: loop.accumulate, reward, signal },
      network: policy.frozen,
      replaySteps: learntSteps,
      gradientCheckpointing: config.gradientCheckpointing,
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
    ...{ engine, config, policy, tokenizer, imageSize, rowLag: drawing.rowLag, objective },
    validation:
      heldOut === null ? undefined : new RewardValidation(drawer, reward, heldOut, config.validationPictures),
    inputs: await inputsOf(base, prompts, identity),
    optimizer: await createOptimizer(
      engine,
      { optimizer: config.optimizer, muon: null, rates: {} },
      trainables,
    ),
  });
  // Awaited here: weights and engines are closed when this function returns.
  return await use(stage, prompts);
}

/** @throws ConfigError for more than there are to learn from. */
function replaySteps({ replaySteps: asked, rollout }: RewardTrainConfig): number {
  const most = rollout.steps - 1;
  if (asked !== null && asked > most) {
    throw new ConfigError(`is ${asked}; of ${rollout.steps} solver steps, ${most} draw noise`, {
      where: "replaySteps",
      remedy: "lower it, raise rollout.steps, or leave it out for all of them",
    });
  }
  return asked ?? most;
}

function refuseTooMuch(
  base: ModelFolder,
  { groups, rollout, loop, pull, gradientCheckpointing }: RewardTrainConfig,
  { frozen, trainables }: Policy,
  sizes: Pick<RewardUpdate, "cells" | "steps">,
): void {
  const pictures = groups.prompts * groups.size;
  const memory = rewardMemory(base, frozen, {
    replayed: Math.ceil(pictures / loop.accumulate),
    drawn: Math.min(pictures, rollout.together),
    ...sizes,
    trained: trainables.reduce((sum, { data }) => sum + data.length, 0),
    pulls: pull > 0,
    gradientCheckpointing,
  });
  refuseTooLarge(
    memory,
    availableMemory(),
    "set gradientCheckpointing, raise loop.accumulate, lower replaySteps, rollout.together or imageSize",
  );
}

async function inputsOf(
  base: ModelFolder,
  prompts: readonly string[],
  reward: JsonValue,
): Promise<JsonValue> {
  const { autoencoder } = base;
  return {
    base: await digestWeights(base.configJson, base.tensors, DIGESTED_BYTES),
    autoencoder:
      autoencoder === undefined ? null : await digestWeights(autoencoder.configJson, autoencoder.tensors),
    prompts: createHash("sha256").update(JSON.stringify(prompts)).digest("hex"),
    reward,
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
  { reward, identity, refuseUnjudged, ...options }: RewardTrainOptions,
): Promise<TrainResult> {
  refuseUnmeant(config.loop, config.steps, "steps");
  await using _lock = await lockFolder(config.output, "trains");
  const source = {
    reward,
    ...(identity === undefined ? {} : { identity }),
    ...(refuseUnjudged === undefined ? {} : { refuseUnjudged }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  };
  return await withRewardStage(config, source, (stage) =>
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
  options: RewardSource & Pick<TrainOptions, "signal">,
): Promise<Rehearsal> {
  refuseUnmeant(config.loop, config.steps, "steps");
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
