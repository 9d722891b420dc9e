/** @file How a model thinks before it draws. */
import { InputError } from "../errors.ts";
import { isJsonObject } from "../formats/json-file.ts";
import { checkTextSampling, DEFAULT_TEMPERATURE } from "./choose-token.ts";
import { describe } from "./settings.ts";

/** Room for some sentences: the chains of thought that such models are trained with are about half as long. */
export const DEFAULT_THOUGHT_TOKENS = 512;
/** Beyond it, no model has positions left for a picture. */
export const MAX_THOUGHT_TOKENS = 1 << 17;

export interface ThinkOptions {
  /** Most tokens of a thought with its markers, 2 to 131072; one that is longer is cut there. Default 512. */
  readonly maxTokens?: number;
  /**
   * 0 takes the best token, so that all pictures of a prompt share a thought; above, each is drawn by the picture's seed.
   * Default 0.
   */
  readonly temperature?: number;
}

const OPTION_NAMES: readonly string[] = ["maxTokens", "temperature"] satisfies (keyof ThinkOptions)[];

/**
 * With what a model thinks; undefined if it is not to.
 * @throws InputError or ConfigError for what is no such option, naming it.
 */
export function thinkOptions(given: unknown): Required<ThinkOptions> | undefined {
  if (given === undefined || given === false) return undefined;
  const options = given === true ? {} : given;
  if (!isJsonObject(options)) {
    throw new InputError(`${describe(given)} does not say how to think`, {
      where: "think",
      remedy: `give true, or an object of ${OPTION_NAMES.join(" and ")}`,
    });
  }
  const unknown = Object.keys(options).find((name) => !OPTION_NAMES.includes(name));
  if (unknown !== undefined) {
    throw new InputError("is not an option", {
      where: `think.${unknown}`,
      remedy: `options are ${OPTION_NAMES.join(", ")}`,
    });
  }
  const { maxTokens = DEFAULT_THOUGHT_TOKENS, temperature = DEFAULT_TEMPERATURE } = options as ThinkOptions;
  if (!Number.isInteger(maxTokens) || maxTokens < 2 || maxTokens > MAX_THOUGHT_TOKENS) {
    throw new InputError(`${describe(maxTokens)} is not a number of tokens`, {
      where: "think.maxTokens",
      remedy: `use 2 to ${MAX_THOUGHT_TOKENS}`,
    });
  }
  checkTextSampling({ temperature });
  return { maxTokens, temperature };
}
