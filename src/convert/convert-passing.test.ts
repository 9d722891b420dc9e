/** @file Converting from a hub on this machine that behaves, and from one that does not. */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { AbortedError, ConfigError, DownloadError, UnsupportedError } from "../errors.ts";
import { freeBytes } from "../files/free-space.ts";
import { LocalFolder } from "../files/local-folder.ts";
import { blobPath, repoFolders } from "../hub/cache-layout.ts";
import { readHubSettings } from "../hub/hub-settings.ts";
import { pull } from "../hub/pull.ts";
import { parseRepoName } from "../hub/repo-name.ts";
import { type Mischief, type ServedFile, sha256, TestHub } from "../hub/test-hub-server.ts";
import { type ConversionManifest, MANIFEST_FILE } from "./conversion-manifest.ts";
import { type Conversion, convertModel } from "./convert-model.ts";
import { convertPassing, type PassingConversion } from "./convert-passing.ts";
import { folderShards } from "./shard-source.ts";

vi.mock("../files/free-space.ts", { spy: true });

const MODEL = fileURLToPath(new URL("../../test/parity/models/v1/", import.meta.url));
const SHARDS = [1, 2, 3].map((number) => `model-0000${number}-of-00003.safetensors`);

let files: ServedFile[];
let expected: string;
let scratch: string;
let hub: TestHub;
let target: string;
let cache: string;

beforeAll(async () => {
  const names = (await readdir(MODEL, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(MODEL.length));
  files = await Promise.all(
    names.map(async (path) => ({
      path,
      bytes: await readFile(join(MODEL, path)),
      large: /safetensors$|\.pt$/.test(path),
    })),
  );
  expected = await mkdtemp(join(tmpdir(), "nextstep-expected-"));
  await convertModel({
    name: "org/model",
    revision: "",
    files: new LocalFolder(MODEL),
    shards: folderShards(MODEL),
    target: expected,
    bits: 4,
    threads: 1,
  });
});
afterAll(() => rm(expected, { recursive: true, force: true }));
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), "nextstep-passing-"));
  [target, cache] = [join(scratch, "out"), join(scratch, "cache")];
  hub = await TestHub.start();
  hub.serve("org/model", files);
});
afterEach(async () => {
  await hub[Symbol.asyncDispose]();
  await rm(scratch, { recursive: true, force: true });
});

const settings = (more: Record<string, string> = {}) =>
  readHubSettings({ HF_HUB_CACHE: cache, HF_ENDPOINT: hub.endpoint, HF_HOME: cache, ...more });

function convert(change: Partial<PassingConversion> = {}, name = "org/model"): Promise<Conversion> {
  return convertPassing({
    name: parseRepoName(name),
    settings: settings(),
    target,
    bits: 4,
    threads: 1,
    // No real pauses.
    clock: { now: () => Date.now(), sleep: async () => {} },
    ...change,
  });
}

/** All but what names the source. */
async function expectSameResult(): Promise<void> {
  const names = (await readdir(expected, { recursive: true })).sort();
  expect((await readdir(target, { recursive: true })).sort()).toEqual(names);
  for (const name of names) {
    if (name === MANIFEST_FILE || (await stat(join(expected, name))).isDirectory()) continue;
    expect([name, sha256(await readFile(join(target, name)))]).toEqual([
      name,
      sha256(await readFile(join(expected, name))),
    ]);
  }
}

/** How often each shard was begun from its first byte. */
const begun = (): number[] =>
  SHARDS.map(
    (shard) =>
      hub.seen.filter(({ path, range }) => path.endsWith(shard) && !/^bytes=[1-9]/.test(range ?? "")).length,
  );

/** Refuses the third shard. */
const forbid: Mischief = (_request, response, { path }) => {
  if (!path.endsWith(SHARDS[2]!)) return false;
  response.writeHead(403).end();
  return true;
};

/** Has `send` answer for a shard, with the part that is asked for. */
function answer(shard: string, send: (part: Buffer, response: ServerResponse) => void): Mischief {
  return (_request, response, { path, range }) => {
    if (!path.endsWith(shard)) return false;
    const { bytes } = files.find((file) => file.path === shard)!;
    const from = Number(/^bytes=(\d+)/.exec(range ?? "")?.[1] ?? 0);
    const place = { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` };
    response.writeHead(range === undefined ? 200 : 206, {
      "content-length": bytes.length - from,
      ...(range === undefined ? {} : place),
    });
    send(Buffer.from(bytes.subarray(from)), response);
    return true;
  };
}

/** The last byte of a shard is another one. */
function wrongBytes(shard: string): Mischief {
  return answer(shard, (part, response) => {
    part[part.length - 1]! ^= 1;
    response.end(part);
  });
}

/** Connections break behind the first bytes, the first three times that anything is asked for. */
function cutThreeTimes(shard: string): { readonly mischief: Mischief; asked(): number } {
  let asked = 0;
  const cut = answer(shard, (part, response) => {
    response.write(part.subarray(0, 1000), () => response.destroy());
  });
  return { mischief: (...request) => asked++ < 3 && cut(...request), asked: () => asked };
}

describe("convertPassing", () => {
  it("comes to what a folder comes to, leaves nothing else, and lets no second one in", async () => {
    let second: Promise<Conversion> | undefined;
    hub.mischief = async (_request, _response, { path }) => {
      if (!path.endsWith(SHARDS[0]!)) return false;
      second ??= convert();
      await second.catch(() => {});
      return false;
    };
    const fetched: number[] = [];
    const spaces: { readonly peak: number; readonly result: number }[] = [];
    const result = await convert({
      onFetched: ({ done, total }) => fetched.push(done / total),
      onSpace: (space) => spaces.push(space),
    });
    await expect(second).rejects.toThrow(`process ${process.pid} fetches into it`);
    await expectSameResult();
    expect(await readdir(scratch)).toEqual(["out"]);
    expect(begun()).toEqual([1, 1, 1]);
    expect(fetched.at(-1)).toBe(1);
    const largest = Math.max(
      ...files.filter(({ path }) => SHARDS.includes(path)).map(({ bytes }) => bytes.length),
    );
    expect(spaces.map(({ peak, result: needed }) => peak - needed)).toEqual([largest]);
    const { source } = JSON.parse(await readFile(join(target, MANIFEST_FILE), "utf8")) as ConversionManifest;
    expect(source).toMatchObject({ name: "org/model", revision: hub.serve("org/model", files) });
    hub.seen.length = 0;
    expect(await convert()).toEqual({ ...result, kept: 3 });
    expect(hub.seen).toEqual([]);
  });

  it("goes on with the commit that it began with, without fetching again what is converted", async () => {
    hub.mischief = forbid;
    await expect(convert()).rejects.toThrow(DownloadError);
    hub.mischief = () => false;
    const kept = SHARDS.slice(0, 2);
    expect((await readdir(target)).filter((name) => kept.includes(name))).toEqual(kept);
    expect((await readdir(join(target, ".source"))).filter((name) => kept.includes(name))).toEqual([]);
    hub.serve("org/model", [...files, { path: "tokenizer.model", bytes: new Uint8Array(3) }]);
    hub.seen.length = 0;
    expect((await convert()).kept).toBe(2);
    expect(begun()).toEqual([0, 0, 1]);
    await expectSameResult();
  });

  it("uses what the cache holds, and leaves it there", async () => {
    const pulled = await pull(parseRepoName("org/model"), settings());
    await rm(join(pulled.folder, SHARDS[1]!));
    const folders = repoFolders(cache, "org/model");
    const blobOf = (shard: string): string => {
      const hex = sha256(files.find(({ path }) => path === shard)!.bytes);
      return blobPath(folders, { path: shard, bytes: 0, digest: { algorithm: "sha256", hex } });
    };
    await rm(blobOf(SHARDS[2]!));
    hub.seen.length = 0;
    await convert();
    expect(begun()).toEqual([0, 0, 1]);
    await expectSameResult();
    const blobs = await readdir(folders.blobs);
    expect(SHARDS.map((shard) => blobs.some((name) => blobOf(shard).endsWith(name)))).toEqual([
      true,
      true,
      false,
    ]);

    await rm(target, { recursive: true });
    const bytes = await readFile(blobOf(SHARDS[0]!));
    bytes[bytes.length - 1]! ^= 1;
    await writeFile(blobOf(SHARDS[0]!), bytes);
    await expect(convert()).rejects.toThrow(/is damaged: its SHA-256/);
    expect((await readdir(target)).filter((name) => name.endsWith(".safetensors"))).toEqual([]);
  });

  it("fetches a shard again that was damaged where it waited", async () => {
    await mkdir(join(target, ".source"), { recursive: true });
    const { length } = files.find(({ path }) => path === SHARDS[0])!.bytes;
    await writeFile(join(target, ".source", SHARDS[0]!), "");
    await truncate(join(target, ".source", SHARDS[0]!), length);
    await convert();
    expect(begun()).toEqual([1, 1, 1]);
    await expectSameResult();
  });

  it("refuses bytes that are wrong, and survives connections that are cut", async () => {
    hub.mischief = wrongBytes(SHARDS[1]!);
    await expect(convert()).rejects.toThrow(/sha256 differs/);
    expect((await readdir(target)).filter((name) => name.endsWith(".safetensors"))).toEqual([SHARDS[0]]);
    const cutting = cutThreeTimes(SHARDS[1]!);
    hub.mischief = cutting.mischief;
    await convert();
    expect(cutting.asked()).toBeGreaterThan(3);
    await expectSameResult();
  });

  it("takes the published autoencoder along when the model has none", async () => {
    const coder = files.filter(({ path }) => path.startsWith("vae/"));
    hub.serve(
      "org/model",
      files.filter((file) => !coder.includes(file)),
    );
    hub.serve(
      "stepfun-ai/NextStep-1-f8ch16-Tokenizer",
      coder.map((file) => ({ ...file, path: file.path.slice("vae/".length) })),
    );
    await convert();
    await expectSameResult();
  });

  it("takes a model of one file", async () => {
    const single = fileURLToPath(new URL("../../test/parity/models/v1.1/", import.meta.url));
    const names = (await readdir(single, { recursive: true, withFileTypes: true })).filter((one) =>
      one.isFile(),
    );
    const served = await Promise.all(
      names.map(async (entry) => {
        const path = join(entry.parentPath, entry.name);
        return { path: path.slice(single.length), bytes: await readFile(path), large: true };
      }),
    );
    hub.serve("org/one", served);
    await convert({}, "org/one");
    expect(await readdir(target)).toContain("config.json");
    expect(await readdir(target)).not.toContain(".source");
  });

  it("refuses by name what it cannot do, before anything large is fetched", async () => {
    await expect(convert({ settings: settings({ HF_HUB_OFFLINE: "1" }) })).rejects.toThrow(ConfigError);
    await expect(convert({}, "org/none")).rejects.toThrow(DownloadError);
    expect(await readdir(scratch)).toEqual([]);
    await mkdir(target);
    await expect(convert({}, "org/none")).rejects.toThrow(DownloadError);
    expect(await readdir(scratch)).toEqual(["out"]);
    const config = files.find(({ path }) => path === "config.json")!;
    const json = JSON.parse(Buffer.from(config.bytes).toString());
    const quantized = Buffer.from(JSON.stringify({ ...json, quantization_config: { quant_method: "gptq" } }));
    hub.serve(
      "org/gptq",
      files.map((file) => (file === config ? { ...file, bytes: quantized } : file)),
    );
    await expect(convert({}, "org/gptq")).rejects.toThrow(UnsupportedError);
    hub.serve("org/coder", [
      { path: "config.json", bytes: Buffer.from("{}") },
      { path: "checkpoint.pt", bytes: Buffer.from("x"), large: true },
    ]);
    await expect(convert({}, "org/coder")).rejects.toThrow(UnsupportedError);
    expect(begun()).toEqual([0, 0, 0]);
    await rm(target, { recursive: true });
    await mkdir(target);
    await writeFile(join(target, "mine.txt"), "");
    await expect(convert()).rejects.toThrow(/exists already and is no conversion/);
    expect(await readdir(target)).toEqual(["mine.txt"]);
  });
});

describe("convertPassing, where the disk has no room for a shard", () => {
  beforeEach(() => {
    vi.mocked(freeBytes).mockResolvedValue(0);
  });
  afterEach(() => {
    vi.mocked(freeBytes).mockReset();
  });

  it("comes to the same, with no shard on the disk at any time", async () => {
    const found: string[] = [];
    hub.mischief = async () => {
      found.push(...(await readdir(target, { recursive: true }).catch(() => [])));
      return false;
    };
    // What an earlier process left that had room, and what it was writing when it was killed.
    const source = join(target, ".source");
    await mkdir(source, { recursive: true });
    const partial = join(source, `${SHARDS[0]!}.nextstep.incomplete`);
    await writeFile(partial, new Uint8Array(1000));
    await writeFile(join(target, ".0123456789abcdef.partial"), "");
    const spaces: unknown[] = [];
    const fetched: number[] = [];
    await convert({
      onSpace: ({ peak, result, arriving }) => spaces.push([peak - result, arriving]),
      onFetched: ({ done, total }) => fetched.push(done / total),
    });
    expect(spaces).toEqual([[0, true]]);
    expect(fetched.at(-1)).toBe(1);
    expect(begun()).toEqual([1, 1, 1]);
    await expectSameResult();
    const ofShards = found.filter((name) => name.startsWith(".source") && name.includes("model-0000"));
    expect([...new Set(ofShards)]).toEqual([partial.slice(target.length + 1)]);
  });

  it("goes on with the commit that it began with; what is converted is not fetched again", async () => {
    hub.mischief = forbid;
    await expect(convert()).rejects.toThrow(DownloadError);
    hub.mischief = () => false;
    hub.serve("org/model", [...files, { path: "tokenizer.model", bytes: new Uint8Array(3) }]);
    hub.seen.length = 0;
    expect((await convert()).kept).toBe(2);
    expect(begun()).toEqual([0, 0, 1]);
    await expectSameResult();
  });

  it("removes the result of bytes that are wrong, and survives connections that are cut", async () => {
    hub.mischief = wrongBytes(SHARDS[1]!);
    const failure = await convert().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(DownloadError);
    expect(String(failure)).toContain("what the server sends is not the file (sha256 differs)");
    const isWeights = (name: string): boolean => /safetensors$|partial$/.test(name);
    expect((await readdir(target, { recursive: true })).filter(isWeights)).toEqual([SHARDS[0]]);
    const cutting = cutThreeTimes(SHARDS[1]!);
    hub.mischief = cutting.mischief;
    await convert();
    expect(cutting.asked()).toBeGreaterThan(3);
    await expectSameResult();
  });

  it("can be cancelled while it waits for bytes, and leaves nothing half-written", async () => {
    const controller = new AbortController();
    hub.mischief = answer(SHARDS[1]!, (part, response) => {
      response.write(part.subarray(0, 1000));
      setTimeout(() => controller.abort(), 50);
    });
    await expect(convert({ signal: controller.signal })).rejects.toThrow(AbortedError);
    const names = await readdir(target, { recursive: true });
    expect(names.filter((name) => /safetensors$|partial$/.test(name))).toEqual([SHARDS[0]]);
    hub.mischief = () => false;
    expect((await convert()).kept).toBe(1);
  });
});
