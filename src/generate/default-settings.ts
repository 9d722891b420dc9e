/** @file The settings that a model draws with when it is told nothing: its own in nextstep.json, or the published ones. */
import { access } from "node:fs/promises";
import { join } from "node:path";
import { readConfigFile } from "../checkpoint/config-file.ts";
import { ConfigError } from "../errors.ts";
import type { Release } from "../model/config.ts";
import {
  type DrawSettings,
  PLAIN_SETTINGS,
  pickSettings,
  publishedSettings,
  SETTING_NAMES,
} from "./settings.ts";

/** File of a model folder beyond the published layout. */
export const NEXTSTEP_FILE = "nextstep.json";

/** Settings for text to image, and for editing. */
export interface DefaultSettings {
  readonly drawing: DrawSettings;
  readonly editing: DrawSettings;
}

/**
 * Reads `generation` and `editing` of a folder's nextstep.json, each with any of the settings; editing builds upon
 * generation. Without the file or both entries, the published settings of the release hold.
 * @throws ConfigError for an unknown or unsuitable setting, ModelFormatError if the file is not JSON.
 */
export async function readDefaultSettings(folder: string, release: Release): Promise<DefaultSettings> {
  const path = join(folder, NEXTSTEP_FILE);
  const exists = await access(path).then(
    () => true,
    () => false,
  );
  return parseDefaultSettings(exists ? await readConfigFile(path) : {}, path, release);
}

/** @throws ConfigError for an unknown or unsuitable setting. */
export function parseDefaultSettings(json: unknown, path: string, release: Release): DefaultSettings {
  const generation = entry(json, "generation", path);
  const editing = entry(json, "editing", path);
  if (generation === undefined && editing === undefined) {
    return { drawing: publishedSettings(release, false), editing: publishedSettings(release, true) };
  }
  const drawing = { ...PLAIN_SETTINGS, ...generation };
  return { drawing, editing: { ...drawing, ...editing } };
}

function entry(
  json: unknown,
  key: "generation" | "editing",
  path: string,
): Partial<DrawSettings> | undefined {
  const value = isRecord(json) ? json[key] : undefined;
  if (value === undefined) return undefined;
  const where = `${path}: ${key}`;
  if (!isRecord(value)) throw new ConfigError("is not an object of settings", { where });
  const unknown = Object.keys(value).find((name) => !SETTING_NAMES.some((known) => known === name));
  if (unknown !== undefined) {
    throw new ConfigError(`"${unknown}" is not a setting`, {
      where,
      remedy: `settings are ${SETTING_NAMES.join(", ")}`,
    });
  }
  return pickSettings(value, `${where}.`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
