/** @file What it takes to draw a picture again: plain JSON, kept in the picture's own file. */
import { DataFormatError } from "../errors.ts";
import { isJsonObject, type JsonObject } from "../formats/json-file.ts";
import { isSha256, isWholeNumber } from "../formats/json-value.ts";
import { isRecipeAdapters, type RecipeAdapter } from "./adapter-mix.ts";
import { MAX_THREADS } from "./open-options.ts";
import { isRecipeChosen, type RecipeChosen } from "./recipe-chosen.ts";
import { isRecipeKept, type RecipeKept } from "./recipe-kept.ts";
import {
  type DrawSettings,
  MAX_SEED,
  MAX_SIDE,
  PLAIN_SETTINGS,
  pickSettings,
  SETTING_NAMES,
} from "./settings.ts";
import { isThought, type Thought } from "./thought.ts";

export { RECIPE_KEYWORD } from "../formats/png-text.ts";

/**
 * Written. The first version knew neither kept tokens nor which of several images were a prompt's own; the second no
 * settings that change along the tokens, and no thoughts.
 */
export const RECIPE_VERSION = 3;
/** Written of pictures with adapters: readers of version 3 would pass over those. */
export const ADAPTED_RECIPE_VERSION = 4;
const VERSIONS: readonly unknown[] = [1, 2, RECIPE_VERSION, ADAPTED_RECIPE_VERSION];
/** What holds in recipes that were written before there were these settings. */
const EARLIER_SETTINGS: Partial<DrawSettings> = {
  cfgUntil: PLAIN_SETTINGS.cfgUntil,
  lastSteps: PLAIN_SETTINGS.lastSteps,
  stepSchedule: PLAIN_SETTINGS.stepSchedule,
  rowLag: PLAIN_SETTINGS.rowLag,
};
/** Most input images of one prompt: each takes positions of the model. */
const MAX_IMAGES = 1024;

export interface Recipe {
  readonly version: 1 | 2 | typeof RECIPE_VERSION | typeof ADAPTED_RECIPE_VERSION;
  /** Name of the model's folder, for people. */
  readonly model: string;
  /** Which model it is, whatever its folder is called: see modelDigest. Not in version 1. */
  readonly modelDigest?: string;
  readonly prompt: string;
  readonly seed: number;
  readonly width: number;
  readonly height: number;
  readonly settings: DrawSettings;
  /** The prompt's own input images in order: the size they were brought to, and the SHA-256 of their pixels then. */
  readonly images?: readonly { readonly sha256: string; readonly width: number; readonly height: number }[];
  /** The noise was given, not drawn from the seed: the recipe alone cannot repeat it. */
  readonly injectedNoise?: true;
  /** Cells whose tokens were given. */
  readonly kept?: RecipeKept;
  /** What stood beside the model's own weights, in the order in which it was added. */
  readonly adapters?: readonly RecipeAdapter[];
  /** Of what it was the best. */
  readonly chosen?: RecipeChosen;
  /** What the model wrote behind the prompt, and drew from. */
  readonly thought?: Thought;
  /** Threads of the engine. Others may round otherwise. */
  readonly threads?: number;
}

/** @throws DataFormatError for text that is not a recipe, ConfigError for a setting that does not fit. */
export function parseRecipe(text: string, where: string): Recipe {
  return checkRecipe(parseJson(text, where), where);
}

/** The recipe that a value is. Throws as {@link parseRecipe} does. */
export function checkRecipe(json: unknown, where: string): Recipe {
  const refuse = (field: string): DataFormatError =>
    new DataFormatError(`the recipe's "${field}" does not fit`, {
      where,
      remedy: "the recipe was changed, or written by a newer version of this package",
    });
  if (!isJsonObject(json)) throw refuse("version");
  const whole = (key: string, least: number, most: number): number => {
    const value = json[key];
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < least || value > most) {
      throw refuse(key);
    }
    return value;
  };
  const word = (key: string): string => {
    const value = json[key];
    if (typeof value !== "string") throw refuse(key);
    return value;
  };
  if (!VERSIONS.includes(json.version)) throw refuse("version");
  if (!isJsonObject(json.settings)) throw refuse("settings");
  const settings = {
    ...pickSettings(json.settings, `${where}: `),
    ...(Number(json.version) >= RECIPE_VERSION ? {} : EARLIER_SETTINGS),
  };
  const missing = SETTING_NAMES.find((name) => settings[name] === undefined);
  if (missing !== undefined) throw refuse(`settings.${missing}`);
  const images = json.images;
  if (
    images !== undefined &&
    !(Array.isArray(images) && images.length <= MAX_IMAGES && images.every(isRecipeImage))
  ) {
    throw refuse("images");
  }
  const { modelDigest, kept, thought, adapters, chosen } = json;
  const isAdapted = json.version === ADAPTED_RECIPE_VERSION;
  if (isAdapted ? !isRecipeAdapters(adapters) : adapters !== undefined) throw refuse("adapters");
  if (modelDigest !== undefined && !isSha256(modelDigest)) throw refuse("modelDigest");
  if (kept !== undefined && !isRecipeKept(kept)) throw refuse("kept");
  if (thought !== undefined && !isThought(thought)) throw refuse("thought");
  if (chosen !== undefined && !isRecipeChosen(chosen)) throw refuse("chosen");
  return {
    version: json.version as Recipe["version"],
    model: word("model"),
    ...(modelDigest === undefined ? {} : { modelDigest }),
    prompt: word("prompt"),
    seed: whole("seed", 0, MAX_SEED),
    width: whole("width", 1, MAX_SIDE),
    height: whole("height", 1, MAX_SIDE),
    settings: settings as DrawSettings,
    ...(images === undefined ? {} : { images }),
    ...(json.injectedNoise === true ? { injectedNoise: true as const } : {}),
    ...(kept === undefined ? {} : { kept }),
    ...(isRecipeAdapters(adapters) ? { adapters } : {}),
    ...(thought === undefined ? {} : { thought }),
    ...(chosen === undefined ? {} : { chosen }),
    ...(json.threads === undefined ? {} : { threads: whole("threads", 1, MAX_THREADS) }),
  };
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new DataFormatError("the recipe is not JSON", { where, cause });
  }
}

/** An input image as recipes hold it. */
export function isRecipeImage(value: unknown): value is NonNullable<Recipe["images"]>[number] & JsonObject {
  return (
    isJsonObject(value) &&
    isSha256(value.sha256) &&
    isWholeNumber(value.width, 1, MAX_SIDE) &&
    isWholeNumber(value.height, 1, MAX_SIDE)
  );
}
