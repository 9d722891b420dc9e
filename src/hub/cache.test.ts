/** @file What stands in a cache: finding, naming and removing it. */
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { InputError } from "../errors.ts";
import { repoFolders, snapshotName, snapshotPath, writeRef } from "./cache-layout.ts";
import { lockRepository } from "./lock-repository.ts";
import { removeCached } from "./remove-cached.ts";
import { resolveModel } from "./resolve-model.ts";
import { scanCache, scanRepository } from "./scan-cache.ts";

const FIRST = "1234567".padEnd(40, "a");
const SECOND = "1234567".padEnd(40, "b");
const SHARED = "0".repeat(64);
const OLD = "1".repeat(64);
const NEW = "2".repeat(64);

let folder: string;
let cache: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "cache-"));
  cache = join(folder, "cache");
  const { blobs } = repoFolders(cache, "org/model");
  await mkdir(blobs, { recursive: true });
  for (const [name, bytes] of [
    [SHARED, 100],
    [OLD, 10],
    [NEW, 20],
    [`${NEW}.nextstep.incomplete`, 7],
  ] as const) {
    await writeFile(join(blobs, name), Buffer.alloc(bytes));
  }
  for (const [commit, blob] of [
    [FIRST, OLD],
    [SECOND, NEW],
  ] as const) {
    await place(commit, "vae/config.json", join("../../../blobs", SHARED));
    await place(commit, "model.safetensors", join("../../blobs", blob));
  }
  await writeRef(repoFolders(cache, "org/model"), "main", SECOND);
  await writeRef(repoFolders(cache, "org/model"), "refs/pr/1", FIRST);
});
afterEach(() => rm(folder, { recursive: true }));

async function place(commit: string, path: string, target: string): Promise<void> {
  const pointer = snapshotPath(repoFolders(cache, "org/model"), commit, path);
  await mkdir(dirname(pointer), { recursive: true });
  await symlink(target, pointer);
}
const remove = (commit?: string) => removeCached(cache, "org/model", commit, () => {});
const environment = () => ({ HF_HUB_CACHE: cache });

describe("scanCache", () => {
  it("counts blobs once, and what was begun", async () => {
    await mkdir(join(cache, "datasets--org--x"));
    await writeFile(join(cache, "models--stray"), "");
    const [found, ...others] = await scanCache(cache);
    expect(others).toEqual([]);
    expect(found).toMatchObject({ repository: "org/model", bytes: 137, incompleteBytes: 7 });
    expect(found?.revisions.map(({ commit, refs, bytes }) => [commit, refs, bytes])).toEqual([
      [FIRST, ["refs/pr/1"], 110],
      [SECOND, ["main"], 120],
    ]);
  });

  it("finds nothing where there is no cache", async () => {
    expect(await scanCache(join(folder, "none"))).toEqual([]);
  });
});

describe("resolveModel", () => {
  it("takes a path that exists, then a repository by branch, commit or the beginning of one", async () => {
    const path = (commit: string) => snapshotPath(repoFolders(cache, "org/model"), commit);
    expect(await resolveModel(folder, environment())).toBe(folder);
    expect(await resolveModel("./no/such", environment())).toBe("./no/such");
    expect(await resolveModel("org/model", environment())).toBe(path(SECOND));
    expect(await resolveModel("org/model@refs/pr/1", environment())).toBe(path(FIRST));
    expect(await resolveModel(`org/model@${FIRST}`, environment())).toBe(path(FIRST));
    expect(await resolveModel(`org/model@${FIRST.slice(0, 9)}`, environment())).toBe(path(FIRST));
    expect(snapshotName(path(FIRST))).toBe(`org/model@${FIRST}`);
    expect(snapshotName(folder)).toBeUndefined();
  });

  it("says what to pull, and fetches nothing", async () => {
    await expect(resolveModel("org/none", environment())).rejects.toThrow(InputError);
    await expect(resolveModel("org/none", environment())).rejects.toThrow(/`nextstep pull org\/none`/);
    await expect(resolveModel("org/model@v2", environment())).rejects.toThrow(
      /`nextstep pull org\/model@v2`, or name one that is there: @refs\/pr\/1, @main/,
    );
    // Two commits begin so.
    await expect(resolveModel("org/model@1234567", environment())).rejects.toThrow(/not in the cache/);
  });

  it("does not follow a note that leads elsewhere", async () => {
    await writeFile(join(repoFolders(cache, "org/model").refs, "main"), "../../../../etc");
    await expect(resolveModel("org/model", environment())).rejects.toThrow(InputError);
  });
});

describe("removeCached", () => {
  it("takes a revision with what only it uses", async () => {
    expect(await remove(FIRST)).toEqual({ repository: "org/model", commits: [FIRST], bytes: 10 });
    const found = await scanRepository(cache, "org/model");
    expect(found?.revisions.map(({ commit, files }) => [commit, files.length])).toEqual([[SECOND, 2]]);
    const { blobs, refs } = repoFolders(cache, "org/model");
    expect((await readdir(blobs)).sort()).toEqual([SHARED, NEW, `${NEW}.nextstep.incomplete`].sort());
    expect(await readdir(join(refs, "refs", "pr"))).toEqual([]);
  });

  it("takes all with the last revision, or by name", async () => {
    await remove(FIRST);
    expect(await remove(SECOND)).toMatchObject({ bytes: 127 });
    expect((await readdir(cache)).filter((name) => name !== ".locks")).toEqual([]);
    await expect(remove()).rejects.toThrow(/not in the cache/);
  });

  it("refuses while a process works on it", async () => {
    await using _lock = await lockRepository(cache, "org/model");
    await expect(remove()).rejects.toThrow(`process ${process.pid}`);
  });

  it("never leaves the cache", async () => {
    const precious = join(folder, "precious");
    await mkdir(precious);
    await writeFile(join(precious, "file"), "keep");
    const { snapshots, root, blobs } = repoFolders(cache, "org/model");
    // A link among the files is removed, what it leads to stays.
    await symlink(precious, join(snapshots, FIRST, "link"));
    await symlink("../../../../../precious/file", join(snapshots, FIRST, "stray.json"));
    await remove(FIRST);
    expect(await readFile(join(precious, "file"), "utf8")).toBe("keep");
    await rm(blobs, { recursive: true });
    await symlink(precious, blobs);
    await expect(remove()).rejects.toThrow(/leads out of the cache/);
    await rm(root, { recursive: true });
    await symlink(precious, root);
    await expect(remove()).rejects.toThrow(/leads out of the cache/);
    expect((await stat(join(precious, "file"))).size).toBe(4);
  });
});
