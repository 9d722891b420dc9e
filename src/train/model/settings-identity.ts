/** @file The settings that decide what training over the model's sequences comes to, whichever weights are trained. */
import { optimizationIdentity } from "../loop/stage-settings.ts";
import { type JsonValue, plainJson } from "../plain-json.ts";
import type { ModelTrainConfig } from "./model-train-config.ts";

export type SequenceSettings = Pick<
  ModelTrainConfig,
  | "imageSize"
  | "aspectBuckets"
  | "seed"
  | "batch"
  | "packing"
  | "captions"
  | "dropText"
  | "dropCaption"
  | "readNoise"
  | "swapTokens"
  | "rowLag"
  | "optimizer"
  | "loop"
>;

/** Of an identity: periods, paths and rates, which may change, are left out. */
export function settingsIdentity(config: SequenceSettings): { readonly [key: string]: JsonValue } {
  const { imageSize, aspectBuckets, seed, batch, packing, captions, dropText, dropCaption } = config;
  return {
    ...{ imageSize, aspectBuckets, seed, batch, packing, captions: plainJson(captions) },
    ...{ dropText, dropCaption, readNoise: config.readNoise, swapTokens: config.swapTokens },
    rowLag: config.rowLag,
    ...optimizationIdentity(config),
  };
}
