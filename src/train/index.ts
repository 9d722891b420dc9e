/** @file Training as a library: `import { trainModel } from "nextstep/train"`. */
export { type DataStats, type DataStatsOptions, dataStats } from "./data/data-stats.ts";
export { buildEmojiData, type EmojiDataOptions, type EmojiDataResult } from "./data/emoji-dataset.ts";
export { buildFolderData, type FolderDataOptions, type FolderDataResult } from "./data/folder-dataset.ts";
export { type ModelTrainConfig, modelConfigSchema } from "./model-config.ts";
export { trainModel } from "./model-stage.ts";
export type { TrainResult } from "./run-loop.ts";
export { type TokenizerConfig, tokenizerConfigSchema } from "./tokenizer-config.ts";
export { type TrainOptions, trainTokenizer } from "./tokenizer-stage.ts";
export { loadTrainConfig } from "./train-config.ts";
export type { TrainEvent } from "./train-events.ts";
