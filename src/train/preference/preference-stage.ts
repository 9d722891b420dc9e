/** @file The stage of preference optimisation: what the loop sees of it. */
import type { NextStepConfig } from "../../model/config.ts";
import type { Engine } from "../../runtime/engine.ts";
import type { TextTokenizer } from "../../sequence/tokenizer.ts";
import type { Policy } from "../adapter/policy.ts";
import { adjustableSettings, optimizationIdentity } from "../loop/stage-settings.ts";
import type { Judgement, TrainStage } from "../loop/train-stage.ts";
import type { LossSums } from "../objective/objective.ts";
import { PartGradients } from "../objective/part-gradients.ts";
import type { Optimizer } from "../optimizer/optimizer.ts";
import type { NamedBuffer, Trainable } from "../optimizer/trainable.ts";
import { type JsonValue, plainJson } from "../plain-json.ts";
import {
  PreferenceObjective,
  type PreferencePlan,
  type Reference,
  type TokenPairs,
} from "./preference-objective.ts";
import type { PreferenceTrainConfig } from "./preference-train-config.ts";
import type { PreferenceValidation } from "./preference-validation.ts";

export interface PreferenceStageParts {
  readonly engine: Engine;
  readonly config: PreferenceTrainConfig;
  readonly model: NextStepConfig;
  /** Sides of a square picture, in pixels. */
  readonly imageSize: number;
  readonly tokenizer: TextTokenizer;
  readonly data: TokenPairs;
  readonly policy: Policy;
  readonly reference: Reference;
  readonly optimizer: Optimizer;
  readonly validation: PreferenceValidation | undefined;
  /** Digests of what the weights depend on beside the settings. */
  readonly inputs: JsonValue;
}

export class PreferenceStage implements TrainStage<PreferencePlan> {
  readonly trainables: readonly Trainable[];
  readonly optimizer: Optimizer;
  readonly identity: JsonValue;
  readonly adjustable: JsonValue;
  readonly learningRate: number;
  readonly judgement: Judgement = { metric: "preference_loss", better: "lower" };
  readonly planner: PreferenceObjective;
  /** Left out without prompts. */
  readonly drawSamples?: (weights: readonly NamedBuffer[]) => Promise<Uint8Array>;
  readonly #parts: PreferenceStageParts;
  readonly #gradients: PartGradients<PreferencePlan>;

  constructor(parts: PreferenceStageParts) {
    const { engine, config, model, tokenizer, data, policy, reference, imageSize } = parts;
    const { seed, batch, rowLag, utility, beta, gradientCheckpointing, loop } = config;
    const base = policy.frozen;
    this.#parts = parts;
    this.trainables = policy.trainables;
    this.optimizer = parts.optimizer;
    this.identity = identityOf(parts);
    this.adjustable = adjustableSettings(config);
    this.learningRate = config.optimizer.learningRate;
    this.planner = new PreferenceObjective(model, tokenizer, data, reference, {
      ...{ seed, batch, rowLag, utility, beta, gradientCheckpointing, accumulate: loop.accumulate },
      ...(base === undefined ? {} : { base }),
    });
    this.#gradients = new PartGradients(engine, this.planner, policy.trainables, 1, base?.weights);
    if (config.samples.prompts.length > 0) {
      this.drawSamples = (weights) => policy.drawGrid(weights, tokenizer, { ...config, imageSize });
    }
  }

  compute(plan: PreferencePlan, part: number, isFirst: boolean): Promise<LossSums> {
    return this.#gradients.compute(plan, part, isFirst);
  }

  async validate(weights: readonly NamedBuffer[]): Promise<Record<string, number>> {
    return (await this.#parts.validation?.run(weights)) ?? {};
  }

  writeModel(folder: string, weights: readonly NamedBuffer[]): Promise<void> {
    return this.#parts.policy.write(folder, weights);
  }
}

/** Everything that decides the weights; periods and paths do not. */
function identityOf({ config, imageSize, policy, inputs }: PreferenceStageParts): JsonValue {
  const { utility, beta, aspectBuckets, rowLag, seed, batch } = config;
  return plainJson({
    ...{ stage: "preference", inputs, trained: policy.identity, utility, beta },
    ...{ imageSize, aspectBuckets, rowLag, seed, batch },
    ...optimizationIdentity(config),
  });
}
