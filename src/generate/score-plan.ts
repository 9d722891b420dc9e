/** @file What a picture is scored behind, settled before anything is computed; and which of several pictures is best. */
import { ConfigError, InputError } from "../errors.ts";
import { isJsonObject } from "../formats/json-file.ts";
import type { ImageSize } from "../image/pixels.ts";
import { tokenWidth } from "../model/config.ts";
import { type Grid, gridOf } from "../sequence/segments.ts";
import { type AdapterChoice, checkAdapterChoices, mixOf } from "./adapter-mix.ts";
import { checkImageInput, checkSignal } from "./draw-options.ts";
import { type PlanContext, planScene } from "./draw-plan.ts";
import { pixelsPerToken } from "./image-coder.ts";
import { encodeInputImages, type ImageInput, readInputImages, type SizedImage } from "./input-images.ts";
import type { Picture } from "./picture.ts";
import { SharedRows } from "./prompt-rows.ts";
import type { ChosenBy } from "./recipe-chosen.ts";
import {
  checkScoreTimes,
  type PictureScore,
  type ScoredTokens,
  type ScoreSettings,
} from "./score-picture.ts";
import { generationPositions } from "./seat.ts";
import { checkSeed, describe } from "./settings.ts";
import { placeImages } from "./tagged-prompts.ts";

export interface ScoreOptions extends ScoreSettings {
  /** That the prompt refers to, as when drawing. Default: none. */
  readonly images?: readonly ImageInput[];
  /** As when drawing. Default: none. */
  readonly adapters?: readonly AdapterChoice[];
  readonly signal?: AbortSignal;
}

/** A picture's tokens as drawings keep them, [rows * columns, 64]. */
export interface TokenPicture {
  readonly grid: Grid;
  readonly tokens: Float32Array;
}

/** @throws InputError or ConfigError naming the first option that does not fit. */
export function checkScoreOptions(prompt: unknown, options: ScoreOptions): void {
  const given: unknown = options;
  if (typeof prompt !== "string")
    throw new InputError(`${describe(prompt)} is not a text`, { where: "prompt" });
  if (!isJsonObject(given)) {
    throw new InputError(`${describe(given)} is not an object of options`, { where: "options" });
  }
  const names = ["times", "seed", "images", "adapters", "signal"];
  const unknown = Object.keys(options).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new ConfigError("is not an option", { where: unknown, remedy: `options are ${names.join(", ")}` });
  }
  if (options.times !== undefined) checkScoreTimes(options.times);
  if (options.seed !== undefined) checkSeed(options.seed, 1);
  if (options.images !== undefined && !Array.isArray(options.images)) {
    throw new InputError("is not a list", { where: "images", remedy: "give an array, also for one image" });
  }
  options.images?.forEach(checkImageInput);
  checkAdapterChoices(options.adapters);
  checkSignal(options.signal);
}

/**
 * The prompt as it is drawn from, but without the words that drawing adds to it and without a thought; and one of no words,
 * as training has it where it drops the text.
 * @throws InputError for a prompt that does not fit; InsufficientMemoryError
 */
export async function planScore(
  context: PlanContext,
  prompt: string,
  picture: ImageInput | TokenPicture,
  options: ScoreOptions,
  signal: AbortSignal,
): Promise<ScoredTokens> {
  const { platform, sessions, folder, tokenizer, defaults } = context;
  const { images: given = [] } = options;
  const mix = mixOf(sessions.adapters, options.adapters ?? []);
  const images = await readInputImages(platform, sessions, given);
  const side = pixelsPerToken(sessions);
  const sized = await sizedPicture(context, picture);
  const size: ImageSize = "size" in sized ? sized.size : [sized.grid[0] * side, sized.grid[1] * side];
  const [tagged] = placeImages([prompt], images.length);
  if (tagged === undefined) throw new InputError("is missing", { where: "prompt" });
  const scene = planScene(
    context,
    { ...tagged, text: prompt },
    { options: { cfg: UNCONDITIONAL, cfgImg: 1, positive: "", negative: "" }, images, size },
  );
  const grid = gridOf(size, "size", side);
  context.refuseTooLarge({
    grid,
    pictures: 1,
    rows: scene.prompt.rows.length,
    promptTokens: Math.max(...scene.prompt.rows.map(({ ids }) => ids.length)),
    images: [...images.map((image) => image.size), ...("size" in sized ? [size] : [])],
  });
  const own = "size" in sized ? [...images, sized] : images;
  const encoded = await encodeInputImages(sessions, own, signal);
  const tokens = "size" in sized ? (encoded.at(-1) as Float32Array) : sized.tokens;
  const rows = new SharedRows(encoded).of(scene.prompt, scene.images, mix);
  const [condition, none] = rows;
  if (condition === undefined || none === undefined) throw new InputError("is missing", { where: "prompt" });
  const { sampler } = defaults.drawing;
  const cells = { count: grid[0] * grid[1] };
  const positions = await generationPositions({ request: { sampler }, canvas: cells }, folder);
  return { condition, none, tokens, grid, positions, placeholder: tokenizer.specials.placeholder };
}

/** Any guidance but 1 has the unconditional prompt written beside the other. */
const UNCONDITIONAL = 2;

async function sizedPicture(
  { platform, sessions, folder }: PlanContext,
  picture: ImageInput | TokenPicture,
): Promise<SizedImage | TokenPicture> {
  if (typeof picture === "object" && "tokens" in picture) {
    const [rows, columns] = picture.grid;
    if (picture.tokens.length === rows * columns * tokenWidth(folder.config)) return picture;
    throw new InputError(`${picture.tokens.length} numbers are not ${rows * columns} tokens`, {
      where: "picture",
    });
  }
  checkImageInput(picture, 0);
  const [sized] = await readInputImages(platform, sessions, [picture]);
  return sized as SizedImage;
}

/** What makes one picture of several the best: the lowest loss, or the largest gain. */
export function worth(score: PictureScore, by: ChosenBy): number {
  return by === "gain" ? score.gain : -score.loss;
}

/** The model's own score of a picture, or a number of somebody else's. */
export type ModelWorth = Pick<PictureScore, "loss" | "unconditional" | "gain">;
export type RewardWorth = { readonly reward: number };

/** The best picture of those of a prompt, and the scores of all of them in their order. */
export interface BestPicture<Worth = ModelWorth | RewardWorth> {
  readonly picture: Picture;
  readonly scores: readonly (Worth & { readonly seed: number })[];
}
