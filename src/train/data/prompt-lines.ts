/** @file A file of prompts, one a line. */
import { DataFormatError } from "../../errors.ts";
import { decodeText } from "../../formats/text.ts";
import { readSmallFile } from "./small-file.ts";

const MAX_BYTES = 64 * 1024 * 1024;
/** Far beyond what anybody draws; each takes minutes of a large model. */
const MAX_PROMPTS = 100_000;

/**
 * Lines without the spaces around them; empty ones are passed over.
 * @throws InputError without the file; DataFormatError for none, for too many, or for what is no text.
 */
export async function readPromptLines(path: string): Promise<string[]> {
  const text = decodeText(await readSmallFile(path, MAX_BYTES), path);
  const prompts = text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "");
  if (prompts.length === 0)
    throw new DataFormatError("holds no prompts", { where: path, remedy: "write one a line" });
  if (prompts.length > MAX_PROMPTS) {
    throw new DataFormatError(`holds ${prompts.length} prompts, more than ${MAX_PROMPTS}`, { where: path });
  }
  return prompts;
}
