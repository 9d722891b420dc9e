/**
 * @file The library, as Node programs use it: `import { open } from "nextstep"`.
 *
 * ```js
 * const model = await open();
 * try {
 *   const [picture] = await model.draw("a red apple", { seed: 7 });
 *   await picture.save("apple.png");
 * } finally {
 *   await model.close();
 * }
 * ```
 */
export {
  AbortedError,
  ConfigError,
  DataFormatError,
  DownloadError,
  EngineError,
  type ErrorCode,
  type ErrorDetails,
  InputError,
  InsufficientMemoryError,
  ModelFormatError,
  NextStepError,
  ShapeError,
  StorageError,
  UnsupportedError,
} from "./errors.ts";
export type { AdapterChoice, RecipeAdapter } from "./generate/adapter-mix.ts";
export type { TextSampling } from "./generate/choose-token.ts";
export type { DefaultSettings } from "./generate/default-settings.ts";
export type { DrawOptions } from "./generate/draw-options.ts";
export type {
  DecodingProgress,
  Drawing,
  DrawingCounts,
  DrawingProgress,
  FinishedPicture,
  ThoughtProgress,
} from "./generate/drawing.ts";
export type { DrawingJob, JobGround, JobImage, JobPicture } from "./generate/drawing-job.ts";
export type { DrawingNote } from "./generate/drawing-notes.ts";
export type { CfgSchedule } from "./generate/guidance.ts";
export type { ImageInput } from "./generate/input-images.ts";
export { encodeJob, type JobDocument, type ParsedJob, parseJob } from "./generate/job-format.ts";
export type { KeptTokens } from "./generate/keep.ts";
export type { Model } from "./generate/model.ts";
export type { LoadProgress, OpenOptions } from "./generate/open-options.ts";
export type { Picture, PictureParts } from "./generate/picture.ts";
export { parseRecipe, RECIPE_KEYWORD, type Recipe } from "./generate/recipe.ts";
export { CHOSEN_BY, type ChosenBy, type RecipeChosen } from "./generate/recipe-chosen.ts";
export type { RecipeKept } from "./generate/recipe-kept.ts";
export type { AgainOptions } from "./generate/repeat-plan.ts";
export type { ResumeOptions } from "./generate/resume-plan.ts";
export type { PictureScore } from "./generate/score-picture.ts";
export type {
  BestPicture,
  ModelWorth,
  RewardWorth,
  ScoreOptions,
  TokenPicture,
} from "./generate/score-plan.ts";
export type { DrawSettings } from "./generate/settings.ts";
export { SAMPLER_NAMES, type SamplerName } from "./generate/solvers.ts";
export type { ThinkOptions } from "./generate/think-options.ts";
export type { Thought } from "./generate/thought.ts";
export type { TokenBatch } from "./generate/token-batch.ts";
export type { InjectedNoise } from "./generate/token-noise.ts";
export type { TrainedOn } from "./generate/trained-on.ts";
export type { WriteOptions } from "./generate/write-options.ts";
export type { ThoughtPiece } from "./generate/write-thought.ts";
export type { FinishReason, WrittenText } from "./generate/written-text.ts";
export { ASPECT_NAMES, type AspectName } from "./image/aspect-buckets.ts";
export type { ImageSize, RgbImage } from "./image/pixels.ts";
export { open } from "./node/open-model.ts";
export type { Grid } from "./sequence/segments.ts";
export type { ThoughtKind } from "./sequence/thought-markers.ts";
