/**
 * @file The library: `import { open } from "nextstep"`.
 *
 * ```ts
 * await using model = await open();
 * const [picture] = await model.draw("a red apple", { seed: 7 });
 * await picture?.save("apple.png");
 * ```
 */
export * from "./errors.ts";
export type { TextSampling } from "./generate/choose-token.ts";
export type { DefaultSettings } from "./generate/default-settings.ts";
export type { DrawOptions } from "./generate/draw-options.ts";
export type { Drawing, DrawingProgress, FinishedPicture, TokenBatch } from "./generate/drawing.ts";
export type { CfgSchedule } from "./generate/guidance.ts";
export type { ImageInput } from "./generate/input-images.ts";
export type { KeptTokens } from "./generate/keep.ts";
export { Model, type OpenModelOptions, open, type WriteOptions } from "./generate/model.ts";
export { Picture } from "./generate/picture.ts";
export { parseRecipe, RECIPE_KEYWORD, type Recipe } from "./generate/recipe.ts";
export type { DrawSettings } from "./generate/settings.ts";
export { SAMPLER_NAMES, type SamplerName } from "./generate/solvers.ts";
export type { InjectedNoise } from "./generate/token-noise.ts";
export { ASPECT_NAMES } from "./image/aspect-buckets.ts";
export type { RgbImage } from "./image/pixels.ts";
