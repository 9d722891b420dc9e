/** @file Finds the model that comes with the package. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { InputError } from "../errors.ts";
import { packageRoot } from "./package-root.ts";

const PLACE = join("models", "default");

/**
 * Folder of the default model.
 * @throws InputError when this copy of the package has no model in it.
 */
export function defaultModelPath(): string {
  const path = join(packageRoot(), PLACE);
  if (existsSync(join(path, "config.json"))) return path;
  throw new InputError("the package holds no default model", {
    where: PLACE,
    remedy: "give the path of a model folder",
  });
}
