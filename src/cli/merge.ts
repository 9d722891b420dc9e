/** @file Runs `nextstep merge`. */
import { type Adapter, readAdapter } from "../checkpoint/adapter/adapter-folder.ts";
import { openModelFolder } from "../checkpoint/model-folder.ts";
import { LocalFolder } from "../files/local-folder.ts";
import { resolveModel } from "../hub/resolve-model.ts";
import { adaptableLinears } from "../model/adapter.ts";
import { mergeAdapters } from "../node/merge-adapters.ts";
import { nodePlatform } from "../node/platform.ts";
import type { AdapterArgument } from "./adapter-options.ts";
import type { Terminal } from "./terminal.ts";

export async function runMerge(
  model: string,
  out: string,
  adapters: readonly AdapterArgument[],
  terminal: Terminal,
): Promise<void> {
  await using folder = await openModelFolder(
    new LocalFolder(await resolveModel(model, terminal.environment)),
  );
  const shapes = adaptableLinears(folder.parameters);
  const parts: { readonly adapter: Adapter; readonly scale: number }[] = [];
  for (const { path, scale = 1 } of adapters) {
    parts.push({ adapter: await readAdapter(new LocalFolder(path), shapes, nodePlatform.sha256), scale });
  }
  await mergeAdapters(folder, parts, out);
  terminal.out.write(`${out}\n`);
}
