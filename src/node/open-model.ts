/** @file Opens models from the disk. */
import { Model } from "../generate/model.ts";
import type { OpenOptions } from "../generate/open-options.ts";
import { nodePlatform } from "./platform.ts";

/**
 * Opens a model folder in any published layout, or the model that comes with the package. Weights are read when they
 * are first needed. Call `close()` in the end, or hold the model with `await using`: its engine runs in a thread.
 * @throws ModelFormatError, ConfigError or InputError naming the file and what is wrong with it; AbortedError when
 * `signal` fired.
 */
export function open(path?: string, options?: OpenOptions): Promise<Model> {
  return Model.open(nodePlatform, path, options);
}
