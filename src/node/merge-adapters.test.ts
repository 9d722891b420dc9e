/** @file What a merged folder says that it was trained on. */
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openModelFolder } from "../checkpoint/model-folder.ts";
import { LocalFolder } from "../files/local-folder.ts";
import { readJson } from "../formats/json-file.ts";
import type { OpenAdapter } from "../generate/adapter-mix.ts";
import { testModelPath } from "../generate/test-models.ts";
import type { TrainedOn } from "../generate/trained-on.ts";
import { mergeAdapters } from "./merge-adapters.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "nextstep-merge-"));
});
afterEach(() => rm(root, { recursive: true }));

/** Merges adapters without matrices. */
async function merged(name: string, settings: object, told: readonly (TrainedOn | undefined)[]) {
  const [model, target] = [join(root, name), join(root, `${name}-merged`)];
  await cp(testModelPath("v1.1"), model, { recursive: true });
  await writeFile(join(model, "nextstep.json"), JSON.stringify(settings));
  await using folder = await openModelFolder(new LocalFolder(model));
  const adapters = told.map(
    (trained): OpenAdapter => ({
      ...{ name: "a", path: "", digest: "", linears: [] },
      ...(trained === undefined ? {} : { trained }),
    }),
  );
  await mergeAdapters(
    folder,
    adapters.map((adapter) => ({ adapter, scale: 1 })),
    target,
  );
  return readJson(await new LocalFolder(target).open("nextstep.json"));
}

it("joins the words of the model and of the adapters, and keeps settings", async () => {
  const settings = { generation: { cfg: 2 }, trained: { words: ["a", "cup"] } };
  expect(await merged("told", settings, [{ words: ["a", "mug"] }])).toEqual({
    generation: { cfg: 2 },
    trained: { words: ["a", "cup", "mug"] },
  });
  expect(await merged("untold", settings, [{ words: ["mug"] }, undefined])).toEqual({
    generation: { cfg: 2 },
    trained: {},
  });
  expect(await merged("settings", { generation: { cfg: 2 } }, [{ words: ["mug"] }])).toEqual({
    generation: { cfg: 2 },
  });
});
