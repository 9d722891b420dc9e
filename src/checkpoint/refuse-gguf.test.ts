import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { UnsupportedError } from "../errors.ts";
import { LocalFolder } from "../files/local-folder.ts";
import { inspectPath } from "../node/inspect-path.ts";
import { openModelFolder } from "./model-folder.ts";

const MODEL = fileURLToPath(new URL("../../test/parity/models/train", import.meta.url));
const scratch = await mkdtemp(join(tmpdir(), "nextstep-gguf-"));
afterAll(() => rm(scratch, { recursive: true, force: true }));

const folder = join(scratch, "some-model-GGUF");
await mkdir(folder);
await writeFile(join(folder, "README.md"), "# q4_k");
await writeFile(join(folder, "model-Q4_K_M.gguf"), "GGUF\x03\0\0\0and more");
await writeFile(join(scratch, "nameless.bin"), "GGUF\x03\0\0\0and more");

const isRefusal = (where: string) => (error: unknown) =>
  error instanceof UnsupportedError &&
  error.where === where &&
  /is GGUF/.test(error.message) &&
  /take the safetensors/.test(error.message);

describe("GGUF is refused by name", () => {
  const file = join(folder, "model-Q4_K_M.gguf");

  it("as a folder and as a file, opened as a model", async () => {
    await expect(openModelFolder(new LocalFolder(folder))).rejects.toSatisfy(isRefusal(file));
    await expect(openModelFolder(new LocalFolder(file))).rejects.toSatisfy(isRefusal(file));
  });

  it("by its first bytes, whatever it is called, when inspected", async () => {
    for (const path of [file, join(scratch, "nameless.bin")]) {
      await expect(inspectPath(path)).rejects.toSatisfy(isRefusal(path));
    }
    await expect(inspectPath(folder)).rejects.toSatisfy(isRefusal(file));
  });

  it("but a model with such a file beside its own is opened", async () => {
    const both = join(scratch, "both");
    await mkdir(both);
    for (const name of ["config.json", "model.safetensors"]) {
      await copyFile(join(MODEL, name), join(both, name));
    }
    await writeFile(join(both, "model.gguf"), "GGUF");
    await using model = await openModelFolder(new LocalFolder(both));
    expect(model.hasImageModules).toBe(true);
  });
});
