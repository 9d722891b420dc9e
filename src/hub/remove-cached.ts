/** @file Removes a repository, or one revision of it, from the cache, and nothing outside. */
import { realpath, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { InputError } from "../errors.ts";
import { writeFailure } from "../files/write-failure.ts";
import { repoFolders } from "./cache-layout.ts";
import { lockRepository } from "./lock-repository.ts";
import { type CachedRepository, type CachedRevision, scanRepository } from "./scan-cache.ts";

export interface Removal {
  readonly repository: string;
  /** What goes. */
  readonly commits: readonly string[];
  /** Bytes that this frees. */
  readonly bytes: number;
}

/**
 * Removes what `commit` holds alone, or the whole repository without one. Blobs that other revisions use stay.
 * @param onPlan told what is about to go.
 * @throws InputError if there is no such thing, if it is being fetched, or if it lies outside the cache.
 */
export async function removeCached(
  cache: string,
  repository: string,
  commit: string | undefined,
  onPlan: (removal: Removal) => void,
): Promise<Removal> {
  const missing = new InputError("is not in the cache", {
    where: commit === undefined ? repository : `${repository}@${commit}`,
    remedy: "`nextstep models` lists what is",
  });
  if ((await scanRepository(cache, repository)) === undefined) throw missing;
  await using _lock = await lockRepository(cache, repository);
  const found = await scanRepository(cache, repository);
  const revision = found?.revisions.find((one) => one.commit === commit);
  if (found === undefined || (commit !== undefined && revision === undefined)) throw missing;
  await refuseOutside(cache, found);
  const isAll = revision === undefined || found.revisions.length === 1;
  const removal = isAll ? wholeRemoval(found) : revisionRemoval(found, revision);
  onPlan(removal);
  try {
    await (isAll ? removeRepository(cache, repository) : removeRevision(found, revision));
  } catch (error) {
    throw writeFailure(error, found.folders.root);
  }
  return removal;
}

function wholeRemoval({ repository, revisions, bytes }: CachedRepository): Removal {
  return { repository, commits: revisions.map(({ commit }) => commit), bytes };
}

function revisionRemoval(found: CachedRepository, revision: CachedRevision): Removal {
  const blobs = new Set(ownBlobs(found, revision));
  const counted = new Set<string>();
  let bytes = 0;
  for (const { blob, bytes: size } of revision.files) {
    if (blob === undefined) bytes += size;
    else if (blobs.has(blob) && !counted.has(blob)) {
      counted.add(blob);
      bytes += size;
    }
  }
  return { repository: found.repository, commits: [revision.commit], bytes };
}

/** Blobs that no other revision has a link to. */
function ownBlobs({ revisions }: CachedRepository, revision: CachedRevision): string[] {
  const others = revisions.filter((one) => one !== revision).flatMap(({ files }) => files);
  const used = new Set(others.map(({ blob }) => blob));
  return revision.files.flatMap(({ blob }) => (blob === undefined || used.has(blob) ? [] : [blob]));
}

/** First out of sight under another name, so that nobody opens a half of it. */
async function removeRepository(cache: string, repository: string): Promise<void> {
  const { root } = repoFolders(cache, repository);
  const aside = join(cache, `.removed-${process.pid}-${Date.now()}`);
  await rename(root, aside);
  // Links are removed, not followed.
  await rm(aside, { recursive: true, force: true });
}

async function removeRevision(found: CachedRepository, revision: CachedRevision): Promise<void> {
  const { refs, blobs, root } = found.folders;
  for (const ref of revision.refs) await rm(join(refs, ...ref.split("/")), { force: true });
  await rm(revision.folder, { recursive: true, force: true });
  // The listing that other clients keep of a commit.
  await rm(join(root, "trees", `${revision.commit}.json`), { force: true });
  for (const blob of ownBlobs(found, revision)) {
    if (/^[0-9a-f]{40}(?:[0-9a-f]{24})?$/.test(blob)) await rm(join(blobs, blob), { force: true });
  }
}

/** A folder that is a link leads to files that are not the cache's to remove. */
async function refuseOutside(cache: string, { folders }: CachedRepository): Promise<void> {
  const { root, blobs, refs, snapshots } = folders;
  const home = await realpath(cache);
  for (const folder of [root, blobs, refs, snapshots]) {
    const real = await realpath(folder).catch(() => undefined);
    if (real === undefined || real === join(home, folder.slice(cache.length))) continue;
    throw new InputError("is a link that leads out of the cache", {
      where: folder,
      remedy: "remove it by hand",
    });
  }
}
