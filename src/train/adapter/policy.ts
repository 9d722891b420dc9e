/**
 * @file What is trained of a base that draws already: an adapter beside it, or all of its weights. Preferences and rewards are
 * learnt by either.
 */
import type { Adapter } from "../../checkpoint/adapter/adapter-folder.ts";
import type { ModelFolder } from "../../checkpoint/model-folder.ts";
import { tensorsToWrite } from "../../formats/tensor-source.ts";
import { adaptableLinears, downName, trainedDelta, upName } from "../../model/adapter.ts";
import type { NextStepConfig } from "../../model/config.ts";
import { modelParameters } from "../../model/parameter-list.ts";
import { ParameterScope } from "../../model/parameter-scope.ts";
import { contentsOf } from "../../node/write-model-folder.ts";
import type { TextTokenizer } from "../../sequence/tokenizer.ts";
import { float32Tensor } from "../../tensor/tensor.ts";
import { fillModelFolder, withSampleModel } from "../model/fill-model-folder.ts";
import type { ModelTrainConfig } from "../model/model-train-config.ts";
import { drawPromptGrid } from "../model/stage-preview.ts";
import { initialModelWeights } from "../model/start-weights.ts";
import type { FrozenBase } from "../objective/frozen-base.ts";
import type { NamedBuffer, Trainable } from "../optimizer/trainable.ts";
import { type JsonValue, plainJson } from "../plain-json.ts";
import { adaptedLinears, firstMatrices } from "./adapter-linears.ts";
import type { AdapterSettings } from "./adapter-train-config.ts";
import { trainedAdapter, writeTrainedAdapter } from "./trained-adapter.ts";

/** Settings of the sample grid. */
export type GridSettings = Pick<ModelTrainConfig, "samples" | "imageSize" | "engine" | "rowLag"> & {
  readonly output: string;
};

export interface Policy {
  /** Undefined where all weights are trained. */
  readonly frozen: FrozenBase | undefined;
  /** The adapter of given weights, which are not copied; undefined where all weights are trained. */
  readonly adapter: ((weights: readonly NamedBuffer[]) => Adapter) | undefined;
  /** With the values that they begin with, which draw what the base draws. */
  readonly trainables: readonly Trainable[];
  /** What is trained. */
  readonly identity: JsonValue;
  /** Writes a model, or an adapter in PEFT's layout. */
  write(folder: string, weights: readonly NamedBuffer[]): Promise<void>;
  /** A PNG of the sample prompts. */
  drawGrid(
    weights: readonly NamedBuffer[],
    tokenizer: TextTokenizer,
    settings: GridSettings,
  ): Promise<Uint8Array>;
}

/** @param settings of an adapter without dropout. The base must stay open. */
export function adapterPolicy(base: ModelFolder, settings: AdapterSettings, seed: number): Policy {
  const linears = adaptedLinears(adaptableLinears(base.parameters), settings);
  const { weightPlan, weightSource } = base.tensors;
  const trained = new Set(linears.flatMap(({ name }) => [downName(name), upName(name)]));
  return {
    frozen: {
      scope: () => new ParameterScope(weightPlan, trainedDelta(linears)),
      isTrained: (name) => trained.has(name),
      weights: weightSource,
    },
    adapter: (weights) => trainedAdapter(linears, weights),
    trainables: firstMatrices(linears, seed),
    identity: plainJson({ linears }),
    write: (folder, weights) =>
      writeTrainedAdapter(folder, {
        ...{ linears, weights, base: base.files.name, settings },
        // Drawn by the base, of prompts that it reads already.
        trained: { sizes: [], words: [] },
      }),
    drawGrid: (weights, tokenizer, grid) =>
      drawPromptGrid(base.path, tokenizer, grid, trainedAdapter(linears, weights)),
  };
}

/**
 * All weights of the base, which must stay open.
 * @throws ConfigError for weights that are rounded to a few bits.
 */
export async function modelPolicy(base: ModelFolder, model: NextStepConfig, seed: number): Promise<Policy> {
  const write: Policy["write"] = (folder, weights) =>
    fillModelFolder(folder, {
      ...contentsOf(base),
      tensors: tensorsToWrite(
        weights.map(({ name, shape, data }) => [name, float32Tensor(shape, data)] as const),
      ),
      settings: base.files,
    });
  return {
    frozen: undefined,
    adapter: undefined,
    trainables: await initialModelWeights(modelParameters(model), seed, base),
    identity: "model",
    write,
    drawGrid: (weights, tokenizer, grid) =>
      withSampleModel(
        grid.output,
        (folder) => write(folder, weights),
        (folder) => drawPromptGrid(folder, tokenizer, grid),
      ),
  };
}
