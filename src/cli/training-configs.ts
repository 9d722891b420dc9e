/** @file Training configs as kinds of JSON that `nextstep inspect` knows. */
import type { JsonKind } from "../checkpoint/inspect-json.ts";
import { adapterTrainConfigSchema } from "../train/adapter/adapter-train-config.ts";
import { autoencoderTrainConfigSchema } from "../train/autoencoder/autoencoder-train-config.ts";
import { parseTrainConfig } from "../train/loop/train-config.ts";
import { modelTrainConfigSchema } from "../train/model/model-train-config.ts";
import { preferenceTrainConfigSchema } from "../train/preference/preference-train-config.ts";
import { rewardTrainConfigSchema } from "../train/reward/reward-train-config.ts";

export const TRAINING_CONFIGS: readonly JsonKind[] = [
  {
    of: "training config of an autoencoder",
    marks: (json) => ["autoencoder", "phases"].every((key) => Object.hasOwn(json, key)),
    read: (json, path) => parseTrainConfig(autoencoderTrainConfigSchema, json, path),
  },
  {
    of: "training config of an adapter",
    marks: (json) => ["output", "data", "base"].every((key) => Object.hasOwn(json, key)),
    read: (json, path) => parseTrainConfig(adapterTrainConfigSchema, json, path),
  },
  {
    of: "training config on preferences",
    marks: (json) => ["output", "pairs", "base"].every((key) => Object.hasOwn(json, key)),
    read: (json, path) => parseTrainConfig(preferenceTrainConfigSchema, json, path),
  },
  {
    of: "training config on a reward",
    marks: (json) => ["output", "reward", "base"].every((key) => Object.hasOwn(json, key)),
    read: (json, path) => parseTrainConfig(rewardTrainConfigSchema, json, path),
  },
  {
    of: "training config of a model",
    marks: (json) => ["output", "data", "steps"].every((key) => Object.hasOwn(json, key)),
    read: (json, path) => parseTrainConfig(modelTrainConfigSchema, json, path),
  },
];
