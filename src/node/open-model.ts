/** @file Opens models from the disk. */
import { Model } from "../generate/model.ts";
import type { OpenOptions } from "../generate/open-options.ts";
import { resolveModel } from "../hub/resolve-model.ts";
import { nodePlatform } from "./platform.ts";

/**
 * Opens a model folder in any published layout; a repository that `nextstep pull` or another client of the hub put into
 * its cache (`org/name[@revision]`), unless a folder has that name; or the model that comes with the package. Nothing is
 * fetched. Weights are read when they are first needed. Call `close()` in the end, or hold the model with `await using`:
 * its engine runs in a thread.
 * @throws ModelFormatError, ConfigError or InputError naming the file and what is wrong with it; AbortedError when
 * `signal` fired.
 */
export async function open(model?: string, options?: OpenOptions): Promise<Model> {
  const path = typeof model === "string" ? await resolveModel(model, process.env) : model;
  return await Model.open(nodePlatform, path, options);
}
