/** @file Reads the adapters that a model is opened with. */
import { readAdapter } from "../checkpoint/adapter/adapter-folder.ts";
import type { ModelFolder } from "../checkpoint/model-folder.ts";
import { adaptableLinears } from "../model/adapter.ts";
import type { OpenAdapter, OpenAdapters } from "./adapter-mix.ts";
import type { Platform } from "./platform.ts";
import { readTrainedOn } from "./trained-on.ts";

/**
 * @param named folders by the names that requests use.
 * @throws what {@link readAdapter} and {@link readTrainedOn} throw.
 */
export async function readAdapters(
  platform: Pick<Platform, "modelFolder" | "sha256">,
  { parameters }: Pick<ModelFolder, "parameters">,
  named: Readonly<Record<string, string>> = {},
): Promise<OpenAdapters> {
  const linears = adaptableLinears(parameters);
  const adapters = new Map<string, OpenAdapter>();
  for (const [name, path] of Object.entries(named)) {
    const folder = platform.modelFolder(path);
    const adapter = await readAdapter(folder, linears, platform.sha256);
    adapters.set(name, { ...adapter, trained: await readTrainedOn(folder) });
  }
  return adapters;
}
