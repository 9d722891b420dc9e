/** @file The stage of reward learning: what the loop sees of it. */
import { mkdir, rm } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import type { ModelFolder } from "../../checkpoint/model-folder.ts";
import { contentsOf } from "../../node/write-model-folder.ts";
import type { Engine } from "../../runtime/engine.ts";
import type { TextTokenizer } from "../../sequence/tokenizer.ts";
import type { AdaptedLinear } from "../adapter/adapter-linears.ts";
import { adapterOf, writeTrainedAdapter } from "../adapter/trained-adapter.ts";
import type { Judgement, TrainStage } from "../loop/train-stage.ts";
import { fillModelFolder } from "../model/fill-model-folder.ts";
import { drawPromptGrid } from "../model/stage-preview.ts";
import type { FrozenBase } from "../objective/frozen-base.ts";
import type { LossSums } from "../objective/objective.ts";
import { PartGradients } from "../objective/part-gradients.ts";
import type { Optimizer } from "../optimizer/optimizer.ts";
import type { NamedBuffer, Trainable } from "../optimizer/trainable.ts";
import { type JsonValue, plainJson } from "../plain-json.ts";
import type { PolicyGradient, PolicyPlan } from "./policy-gradient.ts";
import type { RewardTrainConfig } from "./reward-train-config.ts";
import type { RewardValidation } from "./reward-validation.ts";
import { withTrained } from "./trained-tensors.ts";

/** One graph serves all parts; it holds the model's weights. */
const MOST_SESSIONS = 1;

export interface RewardStageParts {
  readonly engine: Engine;
  readonly config: RewardTrainConfig;
  readonly base: ModelFolder;
  readonly tokenizer: TextTokenizer;
  /** Sides of a picture, in pixels. */
  readonly imageSize: number;
  readonly rowLag: number | null;
  readonly trainables: readonly Trainable[];
  readonly optimizer: Optimizer;
  readonly objective: PolicyGradient;
  readonly validation: RewardValidation | undefined;
  /** Of an adapter; undefined where all weights are trained. */
  readonly adapted: { readonly network: FrozenBase; readonly linears: readonly AdaptedLinear[] } | undefined;
  /** Digests of what the result depends on beside the settings. */
  readonly inputs: JsonValue;
}

export class RewardStage implements TrainStage<PolicyPlan> {
  readonly trainables: readonly Trainable[];
  readonly optimizer: Optimizer;
  readonly identity: JsonValue;
  readonly adjustable: JsonValue;
  readonly learningRate: number;
  readonly judgement: Judgement = { metric: "reward", better: "higher" };
  readonly planner: PolicyGradient;
  /** Left out without prompts. */
  readonly drawSamples?: (weights: readonly NamedBuffer[]) => Promise<Uint8Array>;
  readonly #parts: RewardStageParts;
  readonly #gradients: PartGradients<PolicyPlan>;

  constructor(parts: RewardStageParts) {
    const { engine, config, objective, trainables, optimizer, adapted } = parts;
    this.#parts = parts;
    this.trainables = trainables;
    this.optimizer = optimizer;
    this.planner = objective;
    this.identity = identityOf(parts);
    this.adjustable = plainJson({
      steps: config.steps,
      learningRate: config.optimizer.learningRate,
      threads: config.engine.threads ?? availableParallelism(),
    });
    this.learningRate = config.optimizer.learningRate;
    this.#gradients = new PartGradients(
      engine,
      objective,
      trainables,
      MOST_SESSIONS,
      adapted?.network.weights,
    );
    if (config.samples.prompts.length > 0) this.drawSamples = (weights) => this.#drawPrompts(weights);
  }

  /** Draws and scores the pictures of the plan in front of its first part. */
  async compute(plan: PolicyPlan, part: number, isFirst: boolean): Promise<LossSums> {
    if (isFirst) await this.planner.draw(plan);
    if (this.planner.holds(plan, part)) return this.#gradients.compute(plan, part, isFirst);
    if (isFirst) for (const { gradient } of this.trainables) gradient.fill(0);
    return { loss: 0 };
  }

  async validate(weights: readonly NamedBuffer[]): Promise<Record<string, number>> {
    return (await this.#parts.validation?.run(weights)) ?? {};
  }

  async #drawPrompts(weights: readonly NamedBuffer[]): Promise<Uint8Array> {
    const { base, tokenizer, adapted, config, imageSize, rowLag } = this.#parts;
    const settings = { samples: config.samples, engine: config.engine, imageSize, rowLag };
    if (adapted !== undefined) {
      return drawPromptGrid(base.path, tokenizer, settings, adapterOf(adapted.linears, weights));
    }
    const folder = join(config.output, "samples", ".model");
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    try {
      await this.writeModel(folder, weights);
      return await drawPromptGrid(folder, tokenizer, settings);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  async writeModel(folder: string, weights: readonly NamedBuffer[]): Promise<void> {
    const { base, adapted, config } = this.#parts;
    if (adapted !== undefined && config.adapter !== null) {
      const settings = { ...config.adapter, dropout: 0 };
      const adapter = { base: base.files.name, settings, linears: adapted.linears };
      return writeTrainedAdapter(folder, adapter, weights);
    }
    const tensors = withTrained(base.tensors, weights).toWrite();
    await fillModelFolder(folder, { ...contentsOf(base), tensors, settings: base.files });
  }
}

/** Everything that decides the result; periods and paths do not. */
function identityOf({ config, adapted, imageSize, rowLag, inputs }: RewardStageParts): JsonValue {
  const { seed, reward, groups, rollout, pull } = config;
  const { accumulate, maxGradientNorm, schedule, ema } = config.loop;
  const { learningRate: _rate, ...optimizer } = config.optimizer;
  const { together: _together, ...drawn } = rollout;
  return plainJson({
    ...{ stage: "reward", inputs, linears: adapted?.linears ?? null, reward },
    ...{ seed, imageSize, rowLag, groups, rollout: drawn, pull, optimizer },
    loop: { accumulate, maxGradientNorm, schedule, ema },
  });
}
