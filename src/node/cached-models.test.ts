/** @file The package's own model in a cache, whole and in pieces. */
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { repoFolders, snapshotPath, writeRef } from "../hub/cache-layout.ts";
import { cachedModels } from "./cached-models.ts";
import { defaultModelPath } from "./default-model.ts";
import { open } from "./open-model.ts";

const COMMIT = "c".repeat(40);
let cache: string;
let folder: string;
beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), "models-"));
  const folders = repoFolders(cache, "org/model");
  folder = snapshotPath(folders, COMMIT);
  await cp(defaultModelPath(), folder, { recursive: true });
  await writeRef(folders, "main", COMMIT);
});
afterEach(() => rm(cache, { recursive: true }));

it("tells of a whole model that it can be opened, and it can, by name", async () => {
  const [model] = await cachedModels(cache);
  expect(model).toMatchObject({
    name: "org/model",
    commit: COMMIT,
    kind: "NextStep-1.1",
    canOpen: true,
    why: [],
  });
  expect(model?.memory).toMatchObject({ width: 256, height: 256, repacked: false });
  expect(model?.memory?.peak).toBeGreaterThan(150e6);
  const before = process.env.HF_HUB_CACHE;
  process.env.HF_HUB_CACHE = cache;
  try {
    await using opened = await open("org/model", { threads: 1 });
    // As recipes name it: a commit by itself says nothing.
    expect(opened.name).toBe(`org/model@${COMMIT}`);
    await expect(open("org/other")).rejects.toThrow(/`nextstep pull org\/other`/);
  } finally {
    if (before === undefined) delete process.env.HF_HUB_CACHE;
    else process.env.HF_HUB_CACHE = before;
  }
});

it("tells what is missing and how to get it", async () => {
  await rm(join(folder, "model.safetensors"));
  expect((await cachedModels(cache))[0]).toMatchObject({
    canOpen: false,
    why: ["a file of its weights is missing: nextstep pull org/model"],
  });
  const shards = { a: "model-00001-of-00002.safetensors", b: "model-00002-of-00002.safetensors" };
  await writeFile(join(folder, "model.safetensors.index.json"), JSON.stringify({ weight_map: shards }));
  expect((await cachedModels(cache))[0]?.why).toEqual([
    "2 files of its weights are missing: nextstep pull org/model",
  ]);
});

it("tells of an autoencoder, of damage, of other models, and of a download that was begun", async () => {
  const place = async (name: string): Promise<string> => {
    const path = snapshotPath(repoFolders(cache, name), COMMIT);
    await cp(folder, path, { recursive: true });
    await writeRef(repoFolders(cache, name), "main", COMMIT);
    return path;
  };
  const coder = repoFolders(cache, "a/coder");
  await cp(join(folder, "vae"), snapshotPath(coder, COMMIT), { recursive: true });
  await writeFile(join(await place("a/damaged"), "model.safetensors"), "no weights at all");
  await writeFile(join(await place("a/other"), "config.json"), '{"model_type":"bert"}');
  await cp(join(folder, "README.md"), join(repoFolders(cache, "a/begun").blobs, "0.incomplete"));
  const found = (await cachedModels(cache)).map(({ repository, kind, canOpen }) => [
    repository,
    kind,
    canOpen,
  ]);
  expect(found).toEqual([
    ["a/begun", "unknown", false],
    ["a/coder", "autoencoder", false],
    ["a/damaged", "NextStep-1.1", false],
    ["a/other", "unknown", false],
    ["org/model", "NextStep-1.1", true],
  ]);
});
