/** @file Settings given beside a config file, by path: `loop.schedule.warmupSteps=20`, `phases.0.batch=8`. */
import { ConfigError } from "../../errors.ts";
import { quoted } from "../../formats/quoted.ts";
import type { JsonValue } from "../plain-json.ts";

export interface ConfigOverride {
  /** Keys from the outermost on; a number stands for an entry of a list. */
  readonly path: readonly string[];
  readonly value: JsonValue;
}

/**
 * Reads `key.path=value`. The value is JSON, or a text where it is none: `seed=7`, `muon=null`, `output=runs/a`.
 * @throws ConfigError for anything else.
 */
export function parseOverride(text: string): ConfigOverride {
  const end = text.indexOf("=");
  const path = text.slice(0, Math.max(0, end)).trim().split(".");
  if (path.some((key) => key === "")) {
    throw new ConfigError(`${quoted(text)} is not KEY.PATH=VALUE`, {
      remedy: "write e.g. loop.saveEvery=100",
    });
  }
  const value = text.slice(end + 1);
  try {
    return { path, value: JSON.parse(value) as JsonValue };
  } catch {
    return { path, value };
  }
}

/**
 * A config with some settings replaced, one after the other; groups that it lacks are added. Whether the keys exist is
 * for the schema to say.
 * @throws ConfigError when a path leads into a setting that is no group, or past the end of a list.
 */
export function applyOverrides(config: JsonValue, overrides: readonly ConfigOverride[]): JsonValue {
  return overrides.reduce((json, { path, value }) => withValue(json, path, value, path), config);
}

function withValue(
  json: JsonValue | undefined,
  [key, ...rest]: readonly string[],
  value: JsonValue,
  path: readonly string[],
): JsonValue {
  if (key === undefined) return value;
  const done = path.slice(0, path.length - rest.length - 1).join(".");
  if (Array.isArray(json)) {
    const index = /^\d+$/.test(key) ? Number(key) : Number.NaN;
    if (!(index <= json.length)) {
      throw new ConfigError(`has no entry ${quoted(key)}`, {
        where: done,
        remedy: `its entries are 0 to ${json.length - 1}; ${json.length} adds one`,
      });
    }
    const list: JsonValue[] = [...json];
    list[index] = withValue(list[index], rest, value, path);
    return list;
  }
  const group = json ?? {};
  if (typeof group !== "object") {
    throw new ConfigError(`is ${JSON.stringify(json)}, in which nothing can be set`, { where: done });
  }
  const before = Object.hasOwn(group, key)
    ? (group as { readonly [key: string]: JsonValue })[key]
    : undefined;
  return { ...group, [key]: withValue(before, rest, value, path) };
}
