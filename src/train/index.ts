/** @file Training as a library: `import { trainModel } from "nextstep/train"`. */

export {
  type AutoencoderTrainConfig,
  autoencoderTrainConfigSchema,
} from "./autoencoder/autoencoder-train-config.ts";
export { rehearseAutoencoder, trainAutoencoder } from "./autoencoder/train-autoencoder.ts";
export {
  checkData,
  type DataCheckOptions,
  type DataCheckResult,
  type DataFault,
} from "./data/data-check.ts";
export { type DataStats, type DataStatsOptions, dataStats } from "./data/data-stats.ts";
export { buildEmojiData, type EmojiDataOptions, type EmojiDataResult } from "./data/emoji/emoji-dataset.ts";
export type { FolderDataType } from "./data/folder-data-types.ts";
export {
  buildFolderData,
  type FolderDataOptions,
  type FolderDataResult,
} from "./data/folder-dataset.ts";
export type { PassedOver } from "./data/passed-over.ts";
export { type ConfigOverride, parseOverride } from "./loop/config-overrides.ts";
export type { Rehearsal } from "./loop/rehearsal.ts";
export type { TrainOptions, TrainResult } from "./loop/run-loop.ts";
export { loadTrainConfig } from "./loop/train-config.ts";
export type { TrainEvent } from "./loop/train-events.ts";
export { type ModelTrainConfig, modelTrainConfigSchema } from "./model/model-train-config.ts";
export { rehearseModel, trainModel } from "./model/train-model.ts";
export {
  type PreferenceTrainConfig,
  preferenceTrainConfigSchema,
} from "./preference/preference-train-config.ts";
export { rehearsePreference, trainPreference } from "./preference/train-preference.ts";
export { type Reward, type RewardedPicture, type RewardOptions, rewardsOf } from "./reward/reward.ts";
export { type RewardTrainConfig, rewardTrainConfigSchema } from "./reward/reward-train-config.ts";
export {
  type RewardSource,
  type RewardTrainOptions,
  rehearseReward,
  trainReward,
} from "./reward/train-reward.ts";
