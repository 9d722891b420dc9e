/** @file GGUF, the format of llama.cpp, is not read: what holds it says so, instead of missing other files. */
import { UnsupportedError } from "../errors.ts";
import type { FileFolder } from "../formats/file-folder.ts";

const EXTENSION = /\.gguf$/i;
const MAGIC = "GGUF";

/** @param head first bytes of a file. */
export function isGguf(head: Uint8Array): boolean {
  return new TextDecoder("latin1").decode(head.subarray(0, MAGIC.length)) === MAGIC;
}

/** @throws UnsupportedError for a path that is a GGUF file by its name, or a folder with such files in place of a model. */
export async function refuseGguf(folder: FileFolder): Promise<void> {
  if (EXTENSION.test(folder.path)) throw ggufError(folder.path);
  const names = (await folder.names?.()) ?? [];
  const isModel = names.some((name) => name === "config.json" || name.endsWith(".safetensors"));
  const found = isModel ? undefined : names.find((name) => EXTENSION.test(name));
  if (found !== undefined) throw ggufError(folder.pathOf(found));
}

export function ggufError(where: string): UnsupportedError {
  return new UnsupportedError("is GGUF, a format for language models that has no place for the image head", {
    where,
    remedy: "take the safetensors of the model; `nextstep convert` makes 4 or 8 bits of them",
  });
}
