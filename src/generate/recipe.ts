/** @file What it takes to draw a picture again: plain JSON, kept in the picture's own file. */
import { DataFormatError } from "../errors.ts";
import { isJsonObject } from "../formats/json-file.ts";
import { type DrawSettings, MAX_SEED, MAX_SIDE, pickSettings, SETTING_NAMES } from "./settings.ts";

export { RECIPE_KEYWORD } from "../formats/png-text.ts";

const VERSION = 1;

export interface Recipe {
  readonly version: typeof VERSION;
  /** Name of the model's folder. */
  readonly model: string;
  readonly prompt: string;
  readonly seed: number;
  readonly width: number;
  readonly height: number;
  readonly settings: DrawSettings;
  /** Input images in order: the SHA-256 of their pixels as they were read, sized. */
  readonly images?: readonly { readonly sha256: string; readonly width: number; readonly height: number }[];
  /** The noise was given, not drawn from the seed: the recipe alone cannot repeat it. */
  readonly injectedNoise?: true;
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
  if (json.version !== VERSION) throw refuse("version");
  if (!isJsonObject(json.settings)) throw refuse("settings");
  const settings = pickSettings(json.settings, `${where}: `);
  const missing = SETTING_NAMES.find((name) => settings[name] === undefined);
  if (missing !== undefined) throw refuse(`settings.${missing}`);
  const images = json.images;
  if (images !== undefined && !(Array.isArray(images) && images.every(isImage))) throw refuse("images");
  return {
    version: VERSION,
    model: word("model"),
    prompt: word("prompt"),
    seed: whole("seed", 0, MAX_SEED),
    width: whole("width", 1, MAX_SIDE),
    height: whole("height", 1, MAX_SIDE),
    settings: settings as DrawSettings,
    ...(images === undefined ? {} : { images }),
    ...(json.injectedNoise === true ? { injectedNoise: true as const } : {}),
  };
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new DataFormatError("the recipe is not JSON", { where, cause });
  }
}

function isImage(value: unknown): boolean {
  return (
    isJsonObject(value) &&
    typeof value.sha256 === "string" &&
    /^[0-9a-f]{64}$/.test(value.sha256) &&
    Number.isSafeInteger(value.width) &&
    Number.isSafeInteger(value.height)
  );
}
