/** @file What the cache holds, whoever put it there. */
import { lstat, readdir, readlink } from "node:fs/promises";
import { basename, join } from "node:path";
import { InputError } from "../errors.ts";
import { hasCode } from "../files/write-failure.ts";
import { type RepoFolders, readRef, repoFolders, repositoryOf, sizeOf } from "./cache-layout.ts";
import { isCommit } from "./repo-name.ts";

/** One commit of a repository, with what was fetched of it. */
export interface CachedRevision {
  readonly commit: string;
  /** Branches and tags that stood for it when they were fetched. */
  readonly refs: readonly string[];
  readonly folder: string;
  readonly files: readonly CachedFile[];
  /** On the disk; what revisions share counts for each. */
  readonly bytes: number;
}

export interface CachedFile {
  /** In the snapshot, with forward slashes. */
  readonly path: string;
  readonly bytes: number;
  /** Name of the blob that it is a link to; undefined for a file of its own. */
  readonly blob: string | undefined;
}

export interface CachedRepository {
  readonly repository: string;
  readonly folders: RepoFolders;
  readonly revisions: readonly CachedRevision[];
  /** On the disk, each blob counted once, and of it what interrupted downloads left. */
  readonly bytes: number;
  readonly incompleteBytes: number;
}

/** Deepest folders in a repository that are looked into. */
const MAX_DEPTH = 16;
const MAX_ENTRIES = 100_000;

/** Repositories of models by name. A cache that does not exist holds none. */
export async function scanCache(cache: string): Promise<CachedRepository[]> {
  const repositories: CachedRepository[] = [];
  for (const name of (await entriesOf(cache)).sort()) {
    const repository = repositoryOf(name);
    if (repository === undefined) continue;
    const found = await scanRepository(cache, repository);
    if (found !== undefined) repositories.push(found);
  }
  return repositories;
}

/** Undefined if the cache holds no folder of that repository. */
export async function scanRepository(
  cache: string,
  repository: string,
): Promise<CachedRepository | undefined> {
  const folders = repoFolders(cache, repository);
  const found = await lstat(folders.root).catch(() => undefined);
  if (found === undefined || !(found.isDirectory() || found.isSymbolicLink())) return undefined;
  const refs = await readRefs(folders);
  const revisions: CachedRevision[] = [];
  for (const commit of (await entriesOf(folders.snapshots)).sort()) {
    if (!isCommit(commit)) continue;
    const folder = join(folders.snapshots, commit);
    const files = await filesOf(folder);
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    const names = [...refs].filter(([, target]) => target === commit).map(([ref]) => ref);
    revisions.push({ commit, refs: names, folder, files, bytes });
  }
  let bytes = 0;
  let incompleteBytes = 0;
  for (const name of await entriesOf(folders.blobs)) {
    const size = await bytesOnDisk(join(folders.blobs, name));
    bytes += size;
    if (name.endsWith(".incomplete")) incompleteBytes += size;
  }
  for (const { files } of revisions) {
    for (const file of files) if (file.blob === undefined) bytes += file.bytes;
  }
  return { repository, folders, revisions, bytes, incompleteBytes };
}

async function readRefs(folders: RepoFolders): Promise<Map<string, string>> {
  const refs = new Map<string, string>();
  for (const ref of await walk(folders.refs)) {
    const commit = await readRef(folders, ref);
    if (commit !== undefined) refs.set(ref, commit);
  }
  return refs;
}

async function filesOf(folder: string): Promise<CachedFile[]> {
  const files: CachedFile[] = [];
  for (const path of await walk(folder)) {
    const place = join(folder, path);
    const isLink = (await lstat(place)).isSymbolicLink();
    const bytes = await sizeOf(place);
    // A link that leads nowhere is a file that is missing.
    if (bytes === undefined) continue;
    files.push({ path, bytes, blob: isLink ? basename(await readlink(place)) : undefined });
  }
  return files;
}

/** Files and links below a folder; links to folders are not followed. */
async function walk(folder: string): Promise<string[]> {
  const paths: string[] = [];
  const enter = async (inside: string, depth: number): Promise<void> => {
    if (depth > MAX_DEPTH) return;
    for (const entry of await readdir(join(folder, inside), { withFileTypes: true })) {
      const path = inside === "" ? entry.name : `${inside}/${entry.name}`;
      if (paths.length === MAX_ENTRIES) {
        throw new InputError(`holds more than ${MAX_ENTRIES} files`, { where: folder });
      }
      if (entry.isDirectory()) await enter(path, depth + 1);
      else paths.push(path);
    }
  };
  if ((await entriesOf(folder)).length > 0) await enter("", 0);
  return paths.sort();
}

/** Space that a file takes: one begun may have holes. */
async function bytesOnDisk(path: string): Promise<number> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return 0;
  // Where blocks are not counted, the size has to do.
  return found.blocks === undefined || found.blocks === 0
    ? found.size
    : Math.min(found.size, found.blocks * 512);
}

async function entriesOf(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (hasCode(error, "ENOENT", "ENOTDIR")) return [];
    throw new InputError("cannot be read", { where: folder, remedy: "check its permissions", cause: error });
  }
}
