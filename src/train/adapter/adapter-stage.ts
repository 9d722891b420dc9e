/** @file The stage that trains an adapter: what the loop sees of it, and its folder. */
import type { ModelFolder } from "../../checkpoint/model-folder.ts";
import type { NextStepConfig } from "../../model/config.ts";
import type { Engine } from "../../runtime/engine.ts";
import type { TextTokenizer } from "../../sequence/tokenizer.ts";
import type { FaultySamples } from "../data/faulty-samples.ts";
import { adjustableSettings } from "../loop/stage-settings.ts";
import type { Judgement, TrainStage } from "../loop/train-stage.ts";
import { settingsIdentity } from "../model/settings-identity.ts";
import type { TrainingData } from "../model/stage-data.ts";
import { drawPromptGrid } from "../model/stage-preview.ts";
import type { ModelValidation } from "../model/stage-validation.ts";
import type { TrainingSurvey } from "../model/trained-on.ts";
import type { FrozenBase } from "../objective/frozen-base.ts";
import type { LossSums } from "../objective/objective.ts";
import { PartGradients } from "../objective/part-gradients.ts";
import type { Optimizer } from "../optimizer/optimizer.ts";
import type { NamedBuffer, Trainable } from "../optimizer/trainable.ts";
import { type JsonValue, plainJson } from "../plain-json.ts";
import type { AdaptedLinear } from "./adapter-linears.ts";
import { AdapterObjective, type AdapterPlan } from "./adapter-objective.ts";
import type { AdapterTrainConfig } from "./adapter-train-config.ts";
import { trainedAdapter, writeTrainedAdapter } from "./trained-adapter.ts";

/** Each holds the model's weights: one for batches with pictures, one for such without. */
const MOST_SESSIONS = 2;

export interface AdapterStageParts {
  readonly engine: Engine;
  readonly config: AdapterTrainConfig;
  readonly model: NextStepConfig;
  readonly base: ModelFolder;
  readonly tokenizer: TextTokenizer;
  readonly data: TrainingData;
  readonly linears: readonly AdaptedLinear[];
  readonly network: FrozenBase;
  readonly trainables: readonly Trainable[];
  readonly optimizer: Optimizer;
  readonly validation: ModelValidation | undefined;
  /** What is trained on, looked up when the adapter is first written. */
  readonly survey: () => Promise<TrainingSurvey>;
  /** Digests of what the adapter depends on beside the settings. */
  readonly inputs: JsonValue;
}

export class AdapterStage implements TrainStage<AdapterPlan> {
  readonly trainables: readonly Trainable[];
  readonly optimizer: Optimizer;
  readonly identity: JsonValue;
  readonly adjustable: JsonValue;
  readonly learningRate: number;
  readonly faults: FaultySamples;
  readonly judgement: Judgement = { metric: "image_loss", better: "lower" };
  readonly planner: AdapterObjective;
  /** Left out without prompts. */
  readonly drawSamples?: (weights: readonly NamedBuffer[]) => Promise<Uint8Array>;
  readonly model: NextStepConfig;
  readonly #parts: AdapterStageParts;
  readonly #gradients: PartGradients<AdapterPlan>;
  #survey: Promise<TrainingSurvey> | undefined;

  constructor(parts: AdapterStageParts) {
    const { engine, config, model, data, trainables, optimizer, network, linears, base, tokenizer } = parts;
    const { seed, readNoise, swapTokens, rowLag, gradientCheckpointing, adapter } = config;
    this.#parts = parts;
    this.model = model;
    this.trainables = trainables;
    this.optimizer = optimizer;
    this.identity = identityOf(parts);
    this.adjustable = adjustableSettings(config);
    this.learningRate = config.optimizer.learningRate;
    this.faults = data.faults;
    const sets = typeof config.data === "string" ? [] : config.data;
    const asBase = new Map(
      sets.flatMap((set, index) => (set.asBase ? [[index, set.asBaseWeight] as const] : [])),
    );
    this.planner = new AdapterObjective(model, data, {
      ...{ seed, rowLag, gradientCheckpointing, base: network, dropout: adapter.dropout },
      corruption: { noise: readNoise, swap: swapTokens },
      widest: Math.max(...linears.map(({ inputs }) => inputs)),
      ...(asBase.size === 0 ? {} : { asBase }),
    });
    this.#gradients = new PartGradients(engine, this.planner, trainables, MOST_SESSIONS, network.weights);
    if (config.samples.prompts.length > 0) {
      this.drawSamples = (weights) =>
        drawPromptGrid(base.path, tokenizer, config, trainedAdapter(linears, weights));
    }
  }

  compute(plan: AdapterPlan, part: number, isFirst: boolean): Promise<LossSums> {
    return this.#gradients.compute(plan, part, isFirst);
  }

  async validate(weights: readonly NamedBuffer[]): Promise<Record<string, number>> {
    return (await this.#parts.validation?.run(weights)) ?? {};
  }

  async writeModel(folder: string, weights: readonly NamedBuffer[]): Promise<void> {
    const { linears, config, base, survey } = this.#parts;
    this.#survey ??= survey();
    const { all: trained } = await this.#survey;
    await writeTrainedAdapter(folder, {
      ...{ linears, weights, trained, base: base.files.name, settings: config.adapter },
    });
  }
}

/** Everything that decides the adapter; periods and paths do not. */
function identityOf({ config, linears, inputs }: AdapterStageParts): JsonValue {
  return plainJson({
    ...{ stage: "adapter", inputs, linears, dropout: config.adapter.dropout },
    data: typeof config.data === "string" ? null : config.data.map(({ path: _path, ...set }) => set),
    ...settingsIdentity(config),
    ...{ curriculum: config.curriculum, lmLossWeight: config.lmLossWeight },
  });
}
