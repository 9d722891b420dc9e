/** @file Learning rates of a model's parts: factors by the beginnings of weights' names, 0 for what is frozen. */
import { ConfigError } from "../../errors.ts";
import { quoted } from "../../formats/quoted.ts";
import { ParameterScope } from "../../model/parameter-scope.ts";
import type { FrozenBase } from "../objective/frozen-base.ts";
import type { NamedBuffer, Trainable } from "../optimizer/trainable.ts";

/** Factors by beginnings of names, such as "layers", "layers.0" or "image_head". */
export type PartRates = Readonly<Record<string, number>>;

/** Whether a beginning ends where a part of the name does: "layers.1" is none of "layers.10.mlp". */
function isPart(beginning: string, name: string): boolean {
  return name === beginning || name.startsWith(`${beginning}.`);
}

/** The factor of the longest beginning that fits; 1 where none does. */
export function rateOf(name: string, rates: PartRates): number {
  const fitting = Object.keys(rates).filter((beginning) => isPart(beginning, name));
  const longest = fitting.reduce((best, other) => (other.length > best.length ? other : best), "");
  return rates[longest] ?? 1;
}

export interface PartedWeights {
  readonly trained: readonly Trainable[];
  readonly frozen: readonly NamedBuffer[];
  /** How graphs hold them; undefined where nothing is frozen. */
  readonly base: FrozenBase | undefined;
}

/**
 * Parts a model's weights in those that are trained and those that are not.
 * @throws ConfigError for a beginning that no weight has, and where nothing is left to be trained.
 */
export function partWeights(weights: readonly Trainable[], rates: PartRates): PartedWeights {
  const unknown = Object.keys(rates).find(
    (beginning) => !weights.some(({ name }) => isPart(beginning, name)),
  );
  if (unknown !== undefined) {
    const parts = [...new Set(weights.map(({ name }) => name.split(".", 1)[0]))];
    throw new ConfigError(`no weight's name begins with ${quoted(unknown)}`, {
      where: "rates",
      remedy: `name parts as the checkpoint does: ${parts.join(", ")}`,
    });
  }
  const trained = weights.filter(({ name }) => rateOf(name, rates) > 0);
  if (trained.length === 0) throw new ConfigError("freeze every weight", { where: "rates" });
  if (trained.length === weights.length) return { trained, frozen: [], base: undefined };
  const names = new Set(trained.map(({ name }) => name));
  const frozen = weights
    .filter(({ name }) => !names.has(name))
    .map(({ name, shape, data }) => ({ name, shape, data }));
  const values = new Map(frozen.map(({ name, data }) => [name, data]));
  const base: FrozenBase = {
    scope: () => new ParameterScope(),
    isTrained: (name) => names.has(name),
    weights: ({ name }) => {
      const data = values.get(name);
      if (data === undefined) throw new ConfigError("is not frozen", { where: name });
      return data;
    },
  };
  return { trained, frozen, base };
}
