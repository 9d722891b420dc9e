/** @file `--adapter PATH[:SCALE]`: what becomes of it. */
import { InvalidArgumentError } from "commander";
import { InputError } from "../errors.ts";
import { type AdapterChoice, MAX_ADAPTER_SCALE } from "../generate/adapter-mix.ts";
import type { OpenOptions } from "../generate/open-options.ts";
import type { Recipe } from "../generate/recipe.ts";

export interface AdapterArgument {
  readonly path: string;
  readonly scale?: number;
}

/** `folder`, or `folder:0.8`: a number behind the last colon is the scale. */
export function adapterArgument(text: string, previous: readonly AdapterArgument[] = []): AdapterArgument[] {
  const match = /^(.+):([+-]?(?:\d+\.?\d*|\.\d+))$/.exec(text);
  const path = match?.[1] ?? text;
  if (path === "") throw new InvalidArgumentError("Give the folder of an adapter, or FOLDER:SCALE.");
  if (previous.some((other) => other.path === path)) {
    throw new InvalidArgumentError(`${path} is there twice: give it once, with the scale that is meant.`);
  }
  const scale = match === null ? undefined : Number(match[2]);
  if (scale !== undefined && Math.abs(scale) > MAX_ADAPTER_SCALE) {
    throw new InvalidArgumentError(
      `The scale is a number from -${MAX_ADAPTER_SCALE} to ${MAX_ADAPTER_SCALE}.`,
    );
  }
  return [...previous, { path, ...(scale === undefined ? {} : { scale }) }];
}

/** An adapter under the name that requests use. */
export interface NamedAdapter {
  readonly name: string;
  readonly path: string;
}

/** `mug=learned/mug` */
export function namedAdapter(text: string, previous: readonly NamedAdapter[] = []): NamedAdapter[] {
  const match = /^([\w.-]{1,64})=(.+)$/.exec(text);
  const [, name, path] = match ?? [];
  if (name === undefined || path === undefined) {
    throw new InvalidArgumentError("Give NAME=FOLDER, the name of letters, digits, '.', '_' and '-'.");
  }
  if (previous.some((other) => other.name === name)) {
    throw new InvalidArgumentError(`There are two adapters of the name ${name}.`);
  }
  return [...previous, { name, path }];
}

/** What the model is opened with: each adapter under its path. */
export function adaptersToOpen(adapters: readonly AdapterArgument[] = []): Pick<OpenOptions, "adapters"> {
  if (adapters.length === 0) return {};
  return { adapters: Object.fromEntries(adapters.map(({ path }) => [path, path])) };
}

/** All of them, at the scales that were given. */
export function adapterChoices(adapters: readonly AdapterArgument[] = []): {
  readonly adapters?: readonly AdapterChoice[];
} {
  if (adapters.length === 0) return {};
  return {
    adapters: adapters.map(({ path, scale }) => ({ name: path, ...(scale === undefined ? {} : { scale }) })),
  };
}

/** @throws InputError where a recipe cannot be meant to be drawn with these. */
export function checkAdaptersAgain(
  { adapters: named = [] }: Pick<Recipe, "adapters">,
  given: readonly AdapterArgument[] = [],
): void {
  const scaled = given.find(({ scale }) => scale !== undefined);
  if (scaled !== undefined) {
    throw new InputError("its scale is as the recipe says", {
      where: `--adapter ${scaled.path}:${scaled.scale}`,
      remedy: "leave it out",
    });
  }
  if (given.length > named.length) {
    const was = named.length === 0 ? "without adapters" : `with ${named.length} of them`;
    throw new InputError(`the picture was drawn ${was}`, {
      where: "--adapter",
      remedy: "give those alone, or use draw",
    });
  }
}
