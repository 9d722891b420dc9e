/** @file Runs `nextstep merge`. */
import { openModelFolder } from "../checkpoint/model-folder.ts";
import { LocalFolder } from "../files/local-folder.ts";
import { readAdapters } from "../generate/open-adapters.ts";
import { resolveModel } from "../hub/resolve-model.ts";
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
  const paths = Object.fromEntries(adapters.map(({ path }, index) => [`${index}`, path]));
  const read = [...(await readAdapters(nodePlatform, folder, paths)).values()];
  const parts = read.map((adapter, index) => ({ adapter, scale: adapters[index]?.scale ?? 1 }));
  await mergeAdapters(folder, parts, out);
  terminal.out.write(`${out}\n`);
}
