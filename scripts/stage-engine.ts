/**
 * @file `npm run build`, second half: puts the engine beside the code that runs it, as dist/engine. The published
 * package carries it there and so needs nothing but the npm registry, runs no install script and installs alike with
 * every package manager: the engine's own package would fetch GPU libraries from another host while it is installed.
 *
 * Copied is what runs on a CPU. Left out: the second name of the macOS library, its sources and source maps, its
 * installer with the packages only that needs, and the DLLs for Direct3D, which Windows loads when asked for a GPU
 * (scripts/pe-imports.test.ts sees to it that nothing needs them before).
 */
import { constants } from "node:fs";
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";

const CODE = /^dist\/[\w-]+\.js$/;
const LIBRARY =
  /^bin\/napi-v6\/\w+\/\w+\/(onnxruntime_binding\.node|libonnxruntime\.so\.1|libonnxruntime\.1\.dylib|onnxruntime\.dll)$/;
/** Bindings and libraries of the five platforms the engine's package holds: an upgrade that moves them fails here. */
const LIBRARIES = 10;

const root = fileURLToPath(new URL("..", import.meta.url));
const engine = join(root, "node_modules/onnxruntime-node");
const stage = join(root, "dist/engine");

const manifest = z
  .object({ name: z.string(), version: z.string(), license: z.string(), main: z.string() })
  .parse(JSON.parse(await readFile(join(engine, "package.json"), "utf8")));

const files = (await readdir(engine, { recursive: true, withFileTypes: true }))
  .filter((entry) => entry.isFile())
  .map((entry) =>
    join(entry.parentPath, entry.name)
      .slice(engine.length + 1)
      .replaceAll("\\", "/"),
  )
  .filter((file) => CODE.test(file) || LIBRARY.test(file));
const libraries = files.filter((file) => LIBRARY.test(file));
if (libraries.length !== LIBRARIES || !files.includes(manifest.main)) {
  throw new Error(
    `onnxruntime-node ${manifest.version} holds ${libraries.length} known libraries, expected ${LIBRARIES}`,
  );
}

if (!(await readFile(join(root, "NOTICE"), "utf8")).includes(`${manifest.name} ${manifest.version})`)) {
  throw new Error(`NOTICE and licenses/onnxruntime are not those of onnxruntime-node ${manifest.version}`);
}

await rm(stage, { recursive: true, force: true });
for (const file of files) {
  await mkdir(dirname(join(stage, file)), { recursive: true });
  await copyFile(join(engine, file), join(stage, file), constants.COPYFILE_FICLONE);
}
for (const file of files.filter((name) => CODE.test(name))) {
  const code = await readFile(join(stage, file), "utf8");
  await writeFile(join(stage, file), code.replace(/\n\/\/# sourceMappingURL=.*\n?$/, "\n"));
}
await writeFile(
  join(stage, "package.json"),
  `${JSON.stringify({ ...manifest, type: "commonjs" }, null, 2)}\n`,
);
