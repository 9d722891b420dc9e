/**
 * @file Run before packing. The engine is bundled in the package, because its own install script downloads CUDA
 * libraries from outside the npm registry and fails where that host is unreachable; the CPU libraries that are used
 * here come with the engine's package. Without the script, installing this package needs the npm registry alone.
 */
import { readFile, writeFile } from "node:fs/promises";

const manifest = new URL("../node_modules/onnxruntime-node/package.json", import.meta.url);
const engine: unknown = JSON.parse(await readFile(manifest, "utf8"));
if (typeof engine !== "object" || engine === null)
  throw new TypeError(`${manifest.pathname} is not an object`);
const stripped = Object.fromEntries(Object.entries(engine).filter(([key]) => key !== "scripts"));
await writeFile(manifest, `${JSON.stringify(stripped, null, 2)}\n`);
