/** @file Reads the adapters that a model is opened with. */
import { type Adapter, readAdapter } from "../checkpoint/adapter/adapter-folder.ts";
import type { ModelFolder } from "../checkpoint/model-folder.ts";
import { adaptableLinears } from "../model/adapter.ts";
import type { OpenAdapters } from "./adapter-mix.ts";
import type { Platform } from "./platform.ts";

/**
 * @param named folders by the names that requests use.
 * @throws what {@link readAdapter} throws.
 */
export async function readAdapters(
  platform: Pick<Platform, "modelFolder" | "sha256">,
  { parameters }: Pick<ModelFolder, "parameters">,
  named: Readonly<Record<string, string>> = {},
): Promise<OpenAdapters> {
  const linears = adaptableLinears(parameters);
  const adapters = new Map<string, Adapter>();
  for (const [name, path] of Object.entries(named)) {
    adapters.set(name, await readAdapter(platform.modelFolder(path), linears, platform.sha256));
  }
  return adapters;
}
