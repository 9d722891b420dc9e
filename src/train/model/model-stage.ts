/**
 * @file The stage that trains the model: captions and image tokens in one sequence, by next-token prediction
 * (docs/nextstep-spec.md 4).
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { AutoencoderFolder } from "../../checkpoint/autoencoder-folder.ts";
import { LocalFolder } from "../../files/local-folder.ts";
import { tensorsToWrite } from "../../formats/tensor-source.ts";
import { NEXTSTEP_FILE } from "../../generate/default-settings.ts";
import { type NextStepConfig, toConfigJson } from "../../model/config.ts";
import type { Engine } from "../../runtime/engine.ts";
import { areaIds, gridText } from "../../sequence/segments.ts";
import type { TextTokenizer } from "../../sequence/tokenizer.ts";
import { float32Tensor } from "../../tensor/tensor.ts";
import type { FaultySamples } from "../data/faulty-samples.ts";
import { adjustableSettings } from "../loop/stage-settings.ts";
import type { Judgement, TrainStage } from "../loop/train-stage.ts";
import type { LossSums } from "../objective/objective.ts";
import { PartGradients } from "../objective/part-gradients.ts";
import type { Optimizer } from "../optimizer/optimizer.ts";
import type { NamedBuffer, Trainable } from "../optimizer/trainable.ts";
import { type JsonValue, plainJson } from "../plain-json.ts";
import { fillModelFolder, withSampleModel } from "./fill-model-folder.ts";
import type { ModelTrainConfig } from "./model-train-config.ts";
import type { PartedWeights } from "./part-rates.ts";
import { Pretraining, type PretrainingPlan } from "./pretraining.ts";
import { settingsIdentity } from "./settings-identity.ts";
import { type TrainingData, trainingGrids } from "./stage-data.ts";
import { nextstepJson } from "./stage-inputs.ts";
import { drawPromptGrid } from "./stage-preview.ts";
import type { ModelValidation } from "./stage-validation.ts";
import type { TrainingSurvey } from "./trained-on.ts";

/** Graphs of a batch: with pictures, without, with pictures that are only read; one mask or one a row. */
const MOST_SESSIONS = 4;

export interface StageParts {
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
  /** What nextstep.json says beside what is trained on. */
  readonly inherited: Readonly<Record<string, JsonValue>>;
  /** What is trained on, looked up when a model is first written. */
  readonly survey: () => Promise<TrainingSurvey>;
  readonly weights: PartedWeights;
  readonly optimizer: Optimizer;
  readonly validation: ModelValidation | undefined;
}

export class ModelStage implements TrainStage<PretrainingPlan> {
  readonly trainables: readonly Trainable[];
  readonly optimizer: Optimizer;
  readonly identity: JsonValue;
  readonly adjustable: JsonValue;
  readonly learningRate: number;
  readonly faults: FaultySamples;
  /** Held-out image loss: the language loss of short captions says little, and nothing of pictures. */
  readonly judgement: Judgement = { metric: "image_loss", better: "lower" };
  readonly planner: Pretraining;
  /** Left out without prompts. */
  readonly drawSamples?: (weights: readonly NamedBuffer[]) => Promise<Uint8Array>;
  readonly #parts: StageParts;
  readonly #gradients: PartGradients<PretrainingPlan>;
  #survey: Promise<TrainingSurvey> | undefined;

  constructor(parts: StageParts) {
    this.#parts = parts;
    const { engine, config, model, data, weights } = parts;
    const { seed, readNoise, swapTokens, rowLag, gradientCheckpointing } = config;
    this.trainables = weights.trained;
    this.optimizer = parts.optimizer;
    this.identity = identityOf(parts);
    this.adjustable = adjustableOf(config);
    this.learningRate = config.optimizer.learningRate;
    this.faults = data.faults;
    this.planner = new Pretraining(model, data, {
      seed,
      corruption: { noise: readNoise, swap: swapTokens },
      rowLag,
      gradientCheckpointing,
      ...(weights.base === undefined ? {} : { base: weights.base }),
    });
    const { trained, base } = weights;
    this.#gradients = new PartGradients(engine, this.planner, trained, MOST_SESSIONS, base?.weights);
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
    return withSampleModel(
      config.output,
      (folder) => this.writeModel(folder, weights),
      (folder) => drawPromptGrid(folder, tokenizer, config),
    );
  }

  async writeModel(folder: string, weights: readonly NamedBuffer[]): Promise<void> {
    const { model, autoencoder, tokenizer, tokenizerPath, config } = this.#parts;
    const tensors = tensorsToWrite(
      [...weights, ...this.#parts.weights.frozen].map(
        ({ name, shape, data }) => [name, float32Tensor(shape, data)] as const,
      ),
    );
    const grids = trainingGrids({ ...config, side: model.baseGridSize });
    const { inherited, data } = this.#parts;
    this.#survey ??= this.#parts.survey();
    const survey = await this.#survey;
    const { lesson } = data.batches;
    const trained = lesson === undefined ? survey.all : survey.lessons[lesson]!;
    const settings = JSON.stringify(nextstepJson(inherited, trained), undefined, 2);
    await writeFile(join(folder, NEXTSTEP_FILE), `${settings}\n`);
    await fillModelFolder(folder, {
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
  }
}

/** Everything that decides the weights; periods and paths do not. */
function identityOf({ config, model, inputs }: StageParts): JsonValue {
  const { textTokenizer } = config;
  return {
    stage: "model",
    inputs,
    data:
      typeof config.data === "string"
        ? null
        : config.data.map(({ type, captions, filter, dropCaption }) =>
            plainJson({ type, captions, filter, dropCaption }),
          ),
    model: plainJson(toConfigJson(model)),
    ...settingsIdentity(config),
    ...(Object.keys(config.rates).length === 0 ? {} : { rates: plainJson(config.rates) }),
    textTokenizer: typeof textTokenizer === "string" ? null : textTokenizer,
    muon: config.muon === null ? null : plainJson({ ...config.muon, learningRate: undefined }),
  };
}

/** What may be changed when a run is continued. */
function adjustableOf(config: ModelTrainConfig): JsonValue {
  const { data, curriculum, muon } = config;
  return {
    ...adjustableSettings(config),
    mix: typeof data === "string" ? null : data.map(({ samples }) => samples ?? null),
    curriculum: plainJson(curriculum),
    muonLearningRate: muon?.learningRate ?? null,
  };
}
