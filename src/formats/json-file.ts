/** @file Reads a small JSON file whose content nobody vouches for. */

import { ModelFormatError } from "../errors.ts";
import type { ByteSource } from "./byte-source.ts";

/** Published configurations take two kilobytes; the trainer's table of aspect ratios adds a few more. */
const MAX_CONFIG_BYTES = 4 * 1024 * 1024;

export type JsonObject = { readonly [key: string]: unknown };

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * The parsed content, a byte order mark being passed over. Closes the source.
 * @param maxBytes refuse longer files; the default is ample for configurations.
 * Throws ModelFormatError if it is too large or not JSON.
 */
export async function readJson(source: ByteSource, maxBytes = MAX_CONFIG_BYTES): Promise<unknown> {
  const where = source.name;
  const text = await readText(source, maxBytes);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ModelFormatError("is not JSON", { where, cause, remedy: "fetch the file again" });
  }
}

/** The content as UTF-8 text without its byte order mark. Closes the source. Throws ModelFormatError if it is too large. */
export async function readText(source: ByteSource, maxBytes: number): Promise<string> {
  try {
    if (source.byteLength > maxBytes) {
      throw new ModelFormatError(`${source.byteLength} bytes are too many, at most ${maxBytes} are read`, {
        where: source.name,
      });
    }
    return new TextDecoder().decode(await source.read(0, source.byteLength));
  } finally {
    await source.close();
  }
}
