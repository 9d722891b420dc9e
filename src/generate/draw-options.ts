/** @file What a drawing can be told, and the checks that need no model. */
import { ConfigError, InputError } from "../errors.ts";
import { isJsonObject } from "../formats/json-file.ts";
import { ASPECT_NAMES, type AspectName } from "../image/aspect-buckets.ts";
import { type AdapterChoice, checkAdapterChoices } from "./adapter-mix.ts";
import type { ImageInput } from "./input-images.ts";
import type { KeptTokens } from "./keep.ts";
import { checkSeed, type DrawSettings, describe, MAX_SIDE, SETTING_NAMES } from "./settings.ts";
import { type ThinkOptions, thinkOptions } from "./think-options.ts";
import type { InjectedNoise } from "./token-noise.ts";

/** Most pictures of one prompt in one call: beyond it, memory is a mistake rather than a wish. */
export const MAX_COUNT = 256;
export const DEFAULT_COUNT = 1;

/** Seeds drawn at random stay short enough to be read out. */
export const RANDOM_SEEDS = 2 ** 32;

/** Settings left out are the model's own (nextstep.json in its folder) or the published ones of its release. */
export interface DrawOptions extends Partial<DrawSettings> {
  /** Of the first picture of each prompt, 0 to 2^53 - 1; the next pictures have the next seeds. Default: at random. */
  readonly seed?: number;
  /** In pixels, both multiples of 16. Default: that of the first image, or the square the model was trained on. */
  readonly size?: { readonly width: number; readonly height: number };
  /** A named shape instead of a size, at the number of pixels the model was trained on. Default: as of `size`. */
  readonly aspect?: AspectName;
  /** Pictures of each prompt, 1 to 256. Default 1. */
  readonly count?: number;
  /**
   * Pictures to edit or to refer to, at the `<image>` tags of the prompts, or in front of a prompt without any.
   * Default: none.
   */
  readonly images?: readonly ImageInput[];
  /** Numbers in place of the seed's noise, [pictures, tokens, draws, 64]. Default: the seed's. */
  readonly noise?: InjectedNoise;
  /**
   * Tokens to keep: those of an earlier drawing, which then goes on behind them, or of single cells by a mask. Default:
   * none.
   */
  readonly keep?: KeptTokens;
  /**
   * Has the model write down what it is to draw, behind the prompt and between markers of its vocabulary, and draws from
   * that; the picture's recipe holds it. Default: not.
   */
  readonly think?: boolean | ThinkOptions;
  /** Of the adapters that the model was opened with, those that draw along, and how strongly each. Default: none. */
  readonly adapters?: readonly AdapterChoice[];
  /** Cancels while loading, reading prompts, thinking, drawing and decoding. */
  readonly signal?: AbortSignal;
}

const OPTION_NAMES: readonly string[] = [
  ...SETTING_NAMES,
  ...["seed", "size", "aspect", "count", "images", "noise", "keep", "think", "adapters", "signal"],
];

/**
 * Checks prompts and options as far as that needs no model; settings are checked where they are picked.
 * @throws InputError or ConfigError naming the first that does not fit, and what it may be.
 */
export function checkDrawOptions(prompts: readonly string[], options: DrawOptions): void {
  // JavaScript hands in anything.
  if (!Array.isArray(prompts)) {
    throw new InputError(`${describe(prompts)} is not a text`, {
      where: "prompt",
      remedy: "give a text, or a list of texts",
    });
  }
  const given: unknown = options;
  if (!isJsonObject(given)) {
    throw new InputError(`${describe(given)} is not an object of options`, { where: "options" });
  }
  if (prompts.length === 0)
    throw new InputError("no prompts", { where: "prompt", remedy: "give at least one" });
  const wrong = prompts.findIndex((prompt) => typeof prompt !== "string");
  if (wrong >= 0) {
    throw new InputError(`${describe(prompts[wrong])} is not a text`, { where: `prompt ${wrong + 1}` });
  }
  const unknown = Object.keys(options).find((name) => !OPTION_NAMES.includes(name));
  if (unknown !== undefined) {
    throw new ConfigError("is not an option", {
      where: unknown,
      remedy: `options are ${OPTION_NAMES.join(", ")}`,
    });
  }
  const { count = DEFAULT_COUNT, seed, size, aspect, images } = options;
  if (!Number.isInteger(count) || count < 1 || count > MAX_COUNT) {
    throw new InputError(`${describe(count)} pictures`, {
      where: "count",
      remedy: `use a whole number from 1 to ${MAX_COUNT}`,
    });
  }
  if (seed !== undefined) checkSeed(seed, count);
  if (size !== undefined && aspect !== undefined) {
    throw new InputError("size and aspect exclude each other", {
      where: "aspect",
      remedy: "give one of them",
    });
  }
  if (size !== undefined) checkSize(size);
  if (aspect !== undefined && !ASPECT_NAMES.some((name) => name === aspect)) {
    throw new InputError(`${describe(aspect)} is not an aspect`, {
      where: "aspect",
      remedy: `use one of ${ASPECT_NAMES.join(", ")}`,
    });
  }
  if (images !== undefined && !Array.isArray(images)) {
    throw new InputError("is not a list", { where: "images", remedy: "give an array, also for one image" });
  }
  images?.forEach(checkImageInput);
  thinkOptions(options.think);
  checkAdapterChoices(options.adapters);
  checkSignal(options.signal);
}

/** @throws InputError for what is none. */
export function checkSignal(signal: unknown): void {
  if (signal === undefined || signal instanceof AbortSignal) return;
  throw new InputError(`${describe(signal)} is not an AbortSignal`, {
    where: "signal",
    remedy: "give the signal of an AbortController, or none",
  });
}

function checkSize(size: unknown): void {
  const fits = (side: unknown): boolean =>
    Number.isInteger(side) && Number(side) >= 1 && Number(side) <= MAX_SIDE;
  if (isJsonObject(size) && fits(size.width) && fits(size.height)) return;
  throw new InputError("is not a size", {
    where: "size",
    remedy: `give { width, height } in pixels, whole tokens, each up to ${MAX_SIDE}`,
  });
}

/** @throws InputError naming the image that is none. */
export function checkImageInput(image: unknown, index: number): void {
  if (typeof image === "string" || image instanceof Uint8Array) return;
  if (isJsonObject(image) && image.data instanceof Uint8Array) return;
  throw new InputError(`${describe(image)} is not a picture`, {
    where: `image ${index + 1}`,
    remedy: "give the path of a file, its bytes, or { width, height, data } with RGB bytes",
  });
}
