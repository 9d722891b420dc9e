/** @file Keys of the server: from a file, from the environment, or none. */
import { readFile, stat } from "node:fs/promises";
import { InputError } from "../errors.ts";
import { ApiKeys } from "../serve/http/api-keys.ts";
import type { Terminal } from "./terminal.ts";

export const KEYS_VARIABLE = "NEXTSTEP_API_KEYS";
const MAX_FILE_BYTES = 2 ** 20;

/**
 * The keys of both places together.
 * @throws InputError for a file that cannot be read; ConfigError for what is no key.
 */
export async function readKeys(
  file: string | undefined,
  environment: Terminal["environment"],
): Promise<ApiKeys> {
  const given = environment[KEYS_VARIABLE] ?? "";
  if (file === undefined && given.trim() === "") return ApiKeys.none;
  const text = file === undefined ? "" : await readKeyFile(file);
  const where = [...(file === undefined ? [] : [file]), ...(given === "" ? [] : [KEYS_VARIABLE])].join(
    " and ",
  );
  return ApiKeys.parse(`${text}\n${given}`, where);
}

async function readKeyFile(file: string): Promise<string> {
  try {
    if ((await stat(file)).size <= MAX_FILE_BYTES) return await readFile(file, "utf8");
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new InputError(`cannot be read: ${reason}`, { where: file, remedy: "name a file of keys", cause });
  }
  throw new InputError("is too large for a file of keys", { where: file });
}
