/** @file Weights in blocks to measure with: those of a model folder, or of a stand-in that is written for the purpose. */
import { join } from "node:path";
import { openModelFolder } from "../src/checkpoint/model-folder.ts";
import { writeStandIn } from "../src/evaluate/stand-in/write-stand-in.ts";
import { LocalFolder } from "../src/files/local-folder.ts";
import type { NextStepConfig } from "../src/model/config.ts";
import type { BlockFormat, WeightPlan } from "../src/model/weight-format.ts";
import type { WeightSource } from "../src/runtime/engine.ts";
import { TemporaryFolder } from "./temporary-folder.ts";

export interface BoundModel extends AsyncDisposable {
  readonly config: NextStepConfig;
  readonly plan: WeightPlan;
  readonly weights: WeightSource;
}

export async function openBoundModel(path: string): Promise<BoundModel> {
  const folder = await openModelFolder(new LocalFolder(path));
  const { config, tensors } = folder;
  return {
    config,
    plan: tensors.weightPlan,
    weights: tensors.weightSource,
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

export interface StandInSizes {
  readonly layers?: number;
  readonly bits: 4 | 8;
  /** Of the layers, in place of the usual. */
  readonly blocks?: Pick<BlockFormat, "blockSize" | "symmetric">;
}

/** A stand-in of the published sizes in a temporary folder, removed when it is disposed. */
export async function openStandIn(sizes: StandInSizes): Promise<BoundModel> {
  const folder = await TemporaryFolder.create();
  try {
    await writeStandIn(join(folder.path, "model"), { shape: "14b", ...sizes });
    const model = await openBoundModel(join(folder.path, "model"));
    return {
      ...model,
      async [Symbol.asyncDispose]() {
        await model[Symbol.asyncDispose]();
        await folder[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    throw error;
  }
}
