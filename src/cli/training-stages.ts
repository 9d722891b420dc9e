/** @file What `nextstep train` trains. */

export const TRAINING_STAGES = ["autoencoder", "model", "adapter", "preference", "reward"] as const;
export type TrainingStage = (typeof TRAINING_STAGES)[number];
