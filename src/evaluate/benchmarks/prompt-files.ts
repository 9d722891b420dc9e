/** @file Prompt files of benchmarks: read within bounds, and what is not as published refused by file and place. */
import { DataFormatError } from "../../errors.ts";
import { isJsonObject, type JsonObject } from "../../formats/json-file.ts";
import { quoted } from "../../formats/quoted.ts";
import { decodeText } from "../../formats/text.ts";
import { readSmallFile } from "../../train/data/small-file.ts";

/** The largest published file has 3 MB. */
const MAX_BYTES = 64 * 1024 * 1024;
/** Far beyond any benchmark; each takes minutes of a large model. */
export const MAX_ITEMS = 100_000;
/** A name becomes that of a file. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const REMEDY = "give the published file as it was fetched";

export async function readPromptText(path: string): Promise<string> {
  return decodeText(await readSmallFile(path, MAX_BYTES), path);
}

export async function readPromptJson(path: string): Promise<unknown> {
  const text = await readPromptText(path);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new DataFormatError("is not JSON", { where: path, remedy: REMEDY, cause });
  }
}

/** A record's field that must be a text with something in it. */
export function textField(record: JsonObject, key: string, where: string): string {
  const value = record[key];
  if (typeof value === "string" && value.trim() !== "") return value;
  throw new DataFormatError(`has no text "${key}"`, { where, remedy: REMEDY });
}

/** What is to name a file: no separators, nothing hidden. */
export function fileName(name: unknown, what: string, where: string): string {
  const text = typeof name === "number" ? String(name) : name;
  if (typeof text === "string" && NAME.test(text)) return text;
  throw new DataFormatError(
    `${what} ${typeof text === "string" ? quoted(text) : "is none and"} cannot name a file`,
    {
      where,
      remedy: REMEDY,
    },
  );
}

export function asRecord(value: unknown, where: string): JsonObject {
  if (isJsonObject(value)) return value;
  throw new DataFormatError("is no JSON object", { where, remedy: REMEDY });
}

/** @throws DataFormatError for none, for too many, and for two that would be written to the same file. */
export function checkItems<
  Item extends { readonly where: string; readonly files: readonly { readonly path: string }[] },
>(items: readonly Item[], where: string): readonly Item[] {
  if (items.length === 0) throw new DataFormatError("holds no prompts", { where, remedy: REMEDY });
  if (items.length > MAX_ITEMS) {
    throw new DataFormatError(`holds ${items.length} prompts, more than ${MAX_ITEMS}`, { where });
  }
  const taken = new Map<string, string>();
  for (const item of items) {
    for (const { path } of item.files) {
      const other = taken.get(path);
      if (other !== undefined) {
        throw new DataFormatError(`is written to the same file (${path}) as ${other}`, {
          where: item.where,
          remedy: "give each set of prompts once",
        });
      }
      taken.set(path, item.where);
    }
  }
  return items;
}
