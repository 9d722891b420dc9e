/** @file Pulling from a hub that behaves, into a cache in the hub's own layout. */
import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ConfigError, InputError, UnsupportedError } from "../errors.ts";
import { repoFolders } from "./cache-layout.ts";
import { readHubSettings } from "./hub-settings.ts";
import { BLOCK_BYTES } from "./incomplete-file.ts";
import { lockRepository } from "./lock-repository.ts";
import { pull } from "./pull.ts";
import type { PullEvent } from "./pull-events.ts";
import { parseRepoName } from "./repo-name.ts";
import { gitSha1, noiseBytes, type ServedFile, sha256, TestHub } from "./test-hub-server.ts";

const text = (content: string): Uint8Array => new TextEncoder().encode(content);
const CONFIG = { path: "config.json", bytes: text('{"model_type":"nextstep"}') };
const SHARDS = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
const INDEX = {
  path: "model.safetensors.index.json",
  bytes: text(JSON.stringify({ weight_map: { a: SHARDS[0], b: SHARDS[1] } })),
};
const MODEL: readonly ServedFile[] = [
  CONFIG,
  INDEX,
  { path: SHARDS[0]!, bytes: noiseBytes(2 * BLOCK_BYTES + 5), large: true },
  { path: SHARDS[1]!, bytes: noiseBytes(1000, 2), large: true },
  { path: "tokenizer.json", bytes: text("{}") },
  { path: "vae/config.json", bytes: text("{} ") },
  { path: "vae/checkpoint.pt", bytes: noiseBytes(500, 3), large: true },
  { path: "README.md", bytes: text("# terms") },
  { path: "models/heads.py", bytes: text("import os") },
  { path: "pytorch_model.bin", bytes: noiseBytes(400, 4), large: true },
  { path: "assets/a.png", bytes: noiseBytes(300, 5) },
  { path: "stray.safetensors", bytes: noiseBytes(200, 6), large: true },
];

let cache: string;
let hub: TestHub;
beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), "hub-"));
  hub = await TestHub.start();
});
afterEach(async () => {
  await hub[Symbol.asyncDispose]();
  await rm(cache, { recursive: true });
});

const settings = (more: Record<string, string> = {}) =>
  readHubSettings({ HF_HUB_CACHE: cache, HF_ENDPOINT: hub.endpoint, HF_HOME: cache, ...more });
const run = (name: string, more: Record<string, string> = {}, options: Parameters<typeof pull>[2] = {}) =>
  pull(parseRepoName(name), settings(more), options);

describe("pull", () => {
  it("lays blobs, links and the revision as the hub's other clients do", async () => {
    const commit = hub.serve("org/model", MODEL);
    const events: PullEvent[] = [];
    const pulled = await run("org/model", {}, { onEvent: (event) => events.push(event) });
    const { root, blobs, refs, locks } = repoFolders(cache, "org/model");
    expect(root).toBe(join(cache, "models--org--model"));
    expect(pulled.folder).toBe(join(root, "snapshots", commit));
    expect(await readFile(join(refs, "main"), "utf8")).toBe(commit);
    const shard = MODEL[2]!;
    const pointer = join(pulled.folder, shard.path);
    expect(await readlink(pointer)).toBe(join("..", "..", "blobs", sha256(shard.bytes)));
    expect((await readFile(pointer)).equals(shard.bytes)).toBe(true);
    expect(await readlink(join(pulled.folder, "vae/config.json"))).toBe(
      join("..", "..", "..", "blobs", gitSha1(text("{} "))),
    );
    expect(await readdir(blobs)).toHaveLength(8);
    expect(await readdir(locks)).toEqual([]);
    const plan = events.find((event) => event.type === "plan");
    expect(plan).toMatchObject({ commit, bytes: pulled.bytes, missing: pulled.fetched, autoencoder: null });
    expect(events.at(-1)).toMatchObject({ type: "progress", done: pulled.bytes, total: pulled.bytes });
  });

  it("takes what a model folder needs, and neither code nor pickles", async () => {
    hub.serve("org/model", MODEL);
    await run("org/model");
    const needed = ["README.md", "config.json", INDEX.path, ...SHARDS, "tokenizer.json", "vae/checkpoint.pt"];
    expect(new Set(hub.fetched)).toEqual(new Set([...needed, "vae/config.json"]));
    await run("org/model", {}, { only: "all" });
    expect(new Set(hub.fetched)).toEqual(
      new Set([...needed, "vae/config.json", "assets/a.png", "stray.safetensors"]),
    );
  });

  it("fetches nothing twice, and only what changed of a new commit", async () => {
    const first = hub.serve("org/model", MODEL);
    await run("org/model");
    hub.seen.length = 0;
    expect(await run("org/model")).toMatchObject({ fetched: 0 });
    expect(hub.fetched).toEqual([]);
    const changed = MODEL.map((file) =>
      file === CONFIG ? { ...file, bytes: text('{"model_type": "x"}') } : file,
    );
    const second = hub.serve("org/model", changed);
    expect(await run("org/model")).toMatchObject({ commit: second });
    expect(hub.fetched).toEqual(["config.json"]);
    expect((await readdir(repoFolders(cache, "org/model").snapshots)).sort()).toEqual([first, second].sort());
  });

  it("keeps the file itself in the snapshot where there are no links", async () => {
    hub.serve("org/model", MODEL);
    const { folder } = await run("org/model", { HF_HUB_DISABLE_SYMLINKS: "1" });
    expect((await lstat(join(folder, SHARDS[0]!))).isFile()).toBe(true);
    hub.seen.length = 0;
    await run("org/model", { HF_HUB_DISABLE_SYMLINKS: "1" });
    expect(hub.fetched).toEqual([]);
  });

  it("replaces a blob that was cut short", async () => {
    hub.serve("org/model", MODEL);
    const { folder } = await run("org/model");
    await writeFile(join(repoFolders(cache, "org/model").blobs, sha256(MODEL[3]!.bytes)), "short");
    await run("org/model");
    expect((await readFile(join(folder, SHARDS[1]!))).equals(MODEL[3]!.bytes)).toBe(true);
  });

  it("follows pages of a listing", async () => {
    hub.pageFiles = 3;
    hub.serve("org/model", MODEL);
    const { folder } = await run("org/model");
    expect(await readdir(join(folder, "vae"))).toEqual(["checkpoint.pt", "config.json"]);
  });

  it("takes the published autoencoder along when the model has none, as files of its own", async () => {
    const bare = MODEL.filter(({ path }) => !path.startsWith("vae/"));
    hub.serve("org/model", bare);
    hub.serve("stepfun-ai/NextStep-1-f8ch16-Tokenizer", [
      { path: "config.json", bytes: text('{"z_channels":16}') },
      { path: "checkpoint.pt", bytes: noiseBytes(900, 7), large: true },
    ]);
    const events: PullEvent[] = [];
    const { folder } = await run("org/model", {}, { onEvent: (event) => events.push(event) });
    const weights = join(folder, "vae", "checkpoint.pt");
    expect((await readFile(weights)).equals(noiseBytes(900, 7))).toBe(true);
    expect((await lstat(weights)).isFile()).toBe(true);
    expect(events.find(({ type }) => type === "plan")).toMatchObject({
      autoencoder: "stepfun-ai/NextStep-1-f8ch16-Tokenizer",
    });
    // Start weights of training draw nothing.
    const language = text('{"model_type":"qwen2"}');
    hub.serve(
      "org/language",
      bare.map((file) => (file === CONFIG ? { ...file, bytes: language } : file)),
    );
    await expect(readdir(join((await run("org/language")).folder, "vae"))).rejects.toThrow("ENOENT");
  });

  it("keeps to a tag, and to a commit without a note of it", async () => {
    const commit = hub.serve("org/model", MODEL);
    await run(`org/model@${commit}`);
    expect(await readdir(repoFolders(cache, "org/model").refs)).toEqual([]);
    await expect(run("org/model@v9")).rejects.toThrow(/has no revision "v9"/);
  });

  it("refuses what it cannot use before it fetches anything", async () => {
    hub.serve("org/gguf", [{ path: "model-q4.gguf", bytes: noiseBytes(10), large: true }]);
    await expect(run("org/gguf")).rejects.toThrow(UnsupportedError);
    hub.serve(
      "org/part",
      MODEL.filter(({ path }) => path !== SHARDS[1]),
    );
    await expect(run("org/part")).rejects.toThrow(
      /names "model-00002-of-00002.safetensors", which is not there/,
    );
    await expect(run("org/none")).rejects.toThrow(/there is no such repository/);
    await expect(run("org/model", { HF_HUB_OFFLINE: "1" })).rejects.toThrow(ConfigError);
    expect(hub.fetched).toEqual([INDEX.path]);
  });

  it("is refused while another process pulls the same, and not by one that has died", async () => {
    hub.serve("org/model", MODEL);
    const { locks } = repoFolders(cache, "org/model");
    await mkdir(locks, { recursive: true });
    await writeFile(join(locks, ".lock-99999999-0-ab"), "");
    await run("org/model");
    await using _lock = await lockRepository(cache, "org/model");
    await expect(run("org/model")).rejects.toThrow(InputError);
    await expect(run("org/model")).rejects.toThrow(`process ${process.pid} is at work on it`);
  });
});
