/** @file Where the code of a thread is: in the sources, or in the build wherever a bundler put its caller. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { EngineError } from "../errors.ts";

/**
 * URL of a thread's entry.
 * @param caller `import.meta.url` of who starts it.
 * @param entry below the sources and the build alike, without its ending: `runtime/node/engine-worker`. In the sources
 * `ENTRY-from-sources.mjs` beside the caller starts it.
 * @throws EngineError when the installed package lacks it.
 */
export function threadFile(caller: string, entry: string): URL {
  const name = entry.slice(entry.lastIndexOf("/") + 1);
  if (caller.endsWith(".ts")) return new URL(`./${name}-from-sources.mjs`, caller);
  for (const candidate of [`./${name}.js`, `./${entry}.js`, `../${entry}.js`]) {
    const url = new URL(candidate, caller);
    if (existsSync(fileURLToPath(url))) return url;
  }
  throw new EngineError(`${entry}.js is missing from the installed package`, {
    where: caller,
    remedy: "install the package again",
  });
}
