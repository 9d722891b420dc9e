/** @file The settings that a model draws with when it is told nothing: its own in nextstep.json, or the published ones. */
import { ConfigError } from "../errors.ts";
import type { FileFolder } from "../formats/file-folder.ts";
import { isJsonObject, readJson } from "../formats/json-file.ts";
import { quoted } from "../formats/quoted.ts";
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
export async function readDefaultSettings(folder: FileFolder, release: Release): Promise<DefaultSettings> {
  const path = folder.pathOf(NEXTSTEP_FILE);
  const json = (await folder.has(NEXTSTEP_FILE)) ? await readJson(await folder.open(NEXTSTEP_FILE)) : {};
  return parseDefaultSettings(json, path, release);
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
  const value = isJsonObject(json) ? json[key] : undefined;
  if (value === undefined) return undefined;
  const where = `${path}: ${key}`;
  if (!isJsonObject(value)) throw new ConfigError("is not an object of settings", { where });
  const unknown = Object.keys(value).find((name) => !SETTING_NAMES.some((known) => known === name));
  if (unknown !== undefined) {
    throw new ConfigError(`${quoted(unknown)} is not a setting`, {
      where,
      remedy: `settings are ${SETTING_NAMES.join(", ")}`,
    });
  }
  return pickSettings(value, `${where}.`);
}
