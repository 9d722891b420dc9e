/** @file Which adapters a picture is drawn with, and how strongly. */
import type { Adapter } from "../checkpoint/adapter/adapter-folder.ts";
import { ConfigError, InputError } from "../errors.ts";
import { isJsonObject } from "../formats/json-file.ts";
import { isSha256 } from "../formats/json-value.ts";
import { quoted } from "../formats/quoted.ts";
import { describe } from "./settings.ts";
import type { TrainedOn } from "./trained-on.ts";

/** An adapter that a model was opened with. */
export interface AdapterChoice {
  /** Under which it was opened. */
  readonly name: string;
  /** Factor on what it adds, -{@link MAX_ADAPTER_SCALE} to {@link MAX_ADAPTER_SCALE}. Default 1. */
  readonly scale?: number;
}

/** As recipes hold it. */
export interface RecipeAdapter {
  /** For people. */
  readonly name: string;
  readonly digest: string;
  readonly scale: number;
}

/** Beyond it, a model draws noise. */
export const MAX_ADAPTER_SCALE = 16;
/** More at once are a mistake; each adds its rank to every product. */
export const MAX_ADAPTERS = 16;
const MAX_NAME = 256;

export interface OpenAdapter extends Adapter {
  /** What it was trained on, as far as its folder says; left out while it is in training. */
  readonly trained?: TrainedOn;
}

/** Adapters whose sum stands beside the model's own weights. */
export interface AdapterMix {
  /** The same for the same sum. */
  readonly key: string;
  readonly parts: readonly { readonly adapter: OpenAdapter; readonly scale: number }[];
}

/** Adapters of an open model, by the names that requests use. */
export type OpenAdapters = ReadonlyMap<string, OpenAdapter>;

/**
 * @returns undefined for no adapters.
 * @throws InputError naming an adapter that the model was not opened with; ConfigError for a scale out of range.
 */
export function mixOf(open: OpenAdapters, choices: readonly AdapterChoice[]): AdapterMix | undefined {
  const parts = choices.map(({ name, scale = 1 }) => {
    const adapter = open.get(name);
    if (adapter !== undefined) return { adapter, scale };
    const known = [...open.keys()].map(quoted).join(", ");
    throw new InputError(`there is no adapter ${quoted(name)}`, {
      where: "adapters",
      remedy: known === "" ? "open the model with it" : `there are ${known}`,
    });
  });
  return mixed(parts);
}

/**
 * The adapters that a recipe names, whatever they are called here.
 * @throws InputError naming one that the model was not opened with.
 */
export function mixAgain(open: OpenAdapters, recipe: readonly RecipeAdapter[] = []): AdapterMix | undefined {
  const parts = recipe.map(({ name, digest, scale }) => {
    const adapter = [...open.values()].find((own) => own.digest === digest);
    if (adapter !== undefined) return { adapter, scale };
    const twin = [...open.values()].some((own) => own.name === name);
    throw new InputError(
      twin ? `was drawn with another adapter ${quoted(name)}` : `was drawn with the adapter ${quoted(name)}`,
      { where: "recipe", remedy: "give the same adapter (--adapter PATH)" },
    );
  });
  return mixed(parts);
}

function mixed(parts: AdapterMix["parts"]): AdapterMix | undefined {
  if (parts.length === 0) return undefined;
  return { parts, key: parts.map(({ adapter, scale }) => `${adapter.digest}:${scale}`).join(" ") };
}

/** What a recipe holds of a mix. */
export function describeMix(mix: AdapterMix | undefined): { readonly adapters?: readonly RecipeAdapter[] } {
  if (mix === undefined) return {};
  return {
    adapters: mix.parts.map(({ adapter: { name, digest }, scale }) => ({ name, digest, scale })),
  };
}

/** Whether a JSON value is a recipe's list of adapters. */
export function isRecipeAdapters(value: unknown): value is readonly RecipeAdapter[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.length <= MAX_ADAPTERS &&
    value.every(
      (own) =>
        isJsonObject(own) &&
        typeof own.name === "string" &&
        own.name.length <= MAX_NAME &&
        isSha256(own.digest) &&
        isScale(own.scale),
    )
  );
}

function isScale(value: unknown): value is number {
  return typeof value === "number" && Math.abs(value) <= MAX_ADAPTER_SCALE;
}

/** @throws InputError or ConfigError for what is no list of choices. */
export function checkAdapterChoices(choices: unknown): void {
  if (choices === undefined) return;
  if (!Array.isArray(choices) || choices.length > MAX_ADAPTERS) {
    throw new InputError(`${describe(choices)} is not a list of adapters`, {
      where: "adapters",
      remedy: `give up to ${MAX_ADAPTERS} of { name, scale }`,
    });
  }
  const names = new Set<string>();
  for (const choice of choices) {
    if (!isJsonObject(choice) || typeof choice.name !== "string") {
      throw new InputError(`${describe(choice)} is not an adapter`, {
        where: "adapters",
        remedy: "give { name, scale }",
      });
    }
    if (names.has(choice.name)) {
      throw new InputError(`${quoted(choice.name)} is there twice`, {
        where: "adapters",
        remedy: "give it once, with the scale that is meant",
      });
    }
    names.add(choice.name);
    if (choice.scale !== undefined && !isScale(choice.scale)) {
      throw new ConfigError(`${describe(choice.scale)} is not allowed`, {
        where: `adapters: scale of ${quoted(choice.name)}`,
        remedy: `use a number from -${MAX_ADAPTER_SCALE} to ${MAX_ADAPTER_SCALE}`,
      });
    }
  }
}
