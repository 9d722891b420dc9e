/** @file What was asked for becomes what is drawn: nothing is left open, so that whoever draws it draws the same. */
import { randomInt } from "node:crypto";
import { ConfigError, InputError } from "../../errors.ts";
import { type AdapterChoice, checkAdapterChoices } from "../../generate/adapter-mix.ts";
import { RANDOM_SEEDS } from "../../generate/draw-options.ts";
import { checkSeed, type DrawSettings } from "../../generate/settings.ts";
import type { DrawGround, DrawRequest, PixelSize } from "../contract/draw-request.ts";
import { invalidRequest } from "./api-error.ts";
import type { ServerParts } from "./server-parts.ts";
import { sizeText } from "./size-field.ts";

export interface Wish {
  readonly task: DrawRequest["task"];
  readonly family?: "a1111";
  readonly prompt: string;
  readonly count: number;
  /** Undefined: at random. */
  readonly seed: number | undefined;
  readonly size: PixelSize | "auto";
  /** Sizes that are not open: those of a picture whose rows are kept. */
  readonly native?: PixelSize;
  readonly settings: Partial<DrawSettings>;
  readonly images: readonly string[];
  readonly readImages: boolean;
  readonly ground: DrawGround | null;
  readonly pasteBack: boolean;
  readonly think: boolean;
  /** Names alone are of scale 1. Default: none. */
  readonly adapters?: readonly (string | AdapterChoice)[];
  readonly output: DrawRequest["output"];
  readonly previews: DrawRequest["previews"];
}

/** @throws ApiError for a wish that the model or the server's rules do not allow. */
export function settleRequest(wish: Wish, { model, sizes, limits }: ServerParts): DrawRequest {
  const { prompt, count, size, native, seed = randomInt(RANDOM_SEEDS), adapters = [], ...kept } = wish;
  if (prompt.length > limits.promptCharacters) {
    throw invalidRequest(
      `Invalid 'prompt': string too long. Expected a string with maximum length ${limits.promptCharacters}, but got a string with length ${prompt.length} instead.`,
      { param: "prompt", code: "string_above_max_length" },
    );
  }
  if (count > limits.pictures) {
    throw invalidRequest(
      `Invalid 'n': integer above maximum value. Expected a value <= ${limits.pictures}, but got ${count} instead.`,
      { param: "n", code: "integer_above_max_value" },
    );
  }
  if (wish.think && !model.abilities.think) {
    throw invalidRequest(`The model '${model.id}' was not trained to think.`, {
      param: "think",
      code: "unsupported_parameter",
    });
  }
  if (wish.readImages && !model.abilities.edit) {
    throw invalidRequest(
      `The model '${model.id}' was not trained to edit by instruction: give a mask of what is to be drawn anew.`,
      { param: "image", code: "unsupported_parameter" },
    );
  }
  return {
    ...kept,
    prompt,
    count,
    seed: named("seed", "invalid_value", () => checkSeed(seed, count)),
    settings: { ...wish.settings },
    images: [...wish.images],
    ...settledAdapters(adapters, model),
    ...settledSize(size, native, sizes),
  };
}

/** By name, never by path: what is not on the server's list is refused. */
function settledAdapters(
  wished: NonNullable<Wish["adapters"]>,
  { adapters: known = [] }: ServerParts["model"],
): Pick<DrawRequest, "adapters"> {
  if (wished.length === 0) return {};
  const adapters = wished.map((choice) => ({
    ...(typeof choice === "string" ? { name: choice, scale: 1 } : { scale: 1, ...choice }),
  }));
  named("adapters", "invalid_value", () => checkAdapterChoices(adapters));
  const unknown = adapters.find(({ name }) => !known.includes(name));
  if (unknown !== undefined) {
    const list = known.length === 0 ? "the server has none" : `there are ${known.join(", ")}`;
    throw invalidRequest(`Invalid 'adapters': there is no '${unknown.name}', ${list}.`, {
      param: "adapters",
      code: "invalid_value",
    });
  }
  return { adapters };
}

function settledSize(
  size: PixelSize | "auto",
  native: PixelSize | undefined,
  sizes: ServerParts["sizes"],
): { native: PixelSize; asked: PixelSize } {
  if (native === undefined) return named("size", "invalid_size", () => sizes.settle(size));
  return { native, asked: size === "auto" ? native : size };
}

/** An error of this package under the name that the field has in requests. */
function named<Value>(param: string, code: string, make: () => Value): Value {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof InputError || error instanceof ConfigError)) throw error;
    const remedy = error.remedy === undefined ? "" : ` (${error.remedy})`;
    throw invalidRequest(`Invalid '${param}': ${error.reason}${remedy}.`, { param, code, cause: error });
  }
}

/** Refuses what `sizeText` of one and the other do not agree in. */
export function refuseOtherSize(given: PixelSize | "auto", needed: PixelSize, why: string): void {
  if (given === "auto" || (given.width === needed.width && given.height === needed.height)) return;
  throw invalidRequest(`Invalid 'size': ${why} is ${sizeText(needed)}.`, {
    param: "size",
    code: "invalid_size",
  });
}
