/** @file Finds the model that comes with the package. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { InputError } from "../errors.ts";

const PLACE = join("models", "default");

/**
 * Folder of the default model: in the package's root, which is some folders above this file, in the sources as in the
 * build.
 * @throws InputError when this copy of the package has no model in it.
 */
export function defaultModelPath(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const path = join(folder, PLACE);
    if (existsSync(join(path, "config.json"))) return path;
    const parent = dirname(folder);
    if (existsSync(join(folder, "package.json")) || parent === folder) break;
    folder = parent;
  }
  throw new InputError("the package holds no default model", {
    where: PLACE,
    remedy: "give the path of a model folder",
  });
}
