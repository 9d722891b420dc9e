/** @file What a model's name stands for: a path, or a repository in the cache. Nothing is ever fetched here. */
import { stat } from "node:fs/promises";
import { InputError } from "../errors.ts";
import { readRef, repoFolders, snapshotPath } from "./cache-layout.ts";
import { cacheFolder, type Environment } from "./hub-settings.ts";
import { formatRepoName, isCommit, isRepoName, parseRepoName, type RepoName } from "./repo-name.ts";
import { scanRepository } from "./scan-cache.ts";

/** Shortest beginning of a commit that names it. */
const MIN_COMMIT_DIGITS = 7;

/**
 * The folder that `name` stands for: a path that exists, as it is; else `org/name[@revision]` in the cache that the
 * environment names. What can only be a path is passed on, so that whoever opens it says what is wrong with it.
 * @throws InputError saying what to pull if the cache does not hold it.
 */
export async function resolveModel(name: string, environment: Environment): Promise<string> {
  if ((await stat(name).catch(() => undefined)) !== undefined || !isRepoName(name)) return name;
  const wanted = parseRepoName(name);
  const cache = cacheFolder(environment);
  const commit = await cachedCommit(cache, wanted);
  if (commit !== undefined) return snapshotPath(repoFolders(cache, wanted.repository), commit);
  throw await notCached(cache, wanted);
}

/** The commit that a name stands for in a cache; undefined if it does not hold that. */
export async function cachedCommit(
  cache: string,
  { repository, revision }: RepoName,
): Promise<string | undefined> {
  const folders = repoFolders(cache, repository);
  const exists = async (commit: string): Promise<boolean> =>
    (await stat(snapshotPath(folders, commit)).catch(() => undefined))?.isDirectory() ?? false;
  if (isCommit(revision)) return (await exists(revision)) ? revision : undefined;
  const noted = await readRef(folders, revision);
  if (noted !== undefined && (await exists(noted))) return noted;
  if (revision.length < MIN_COMMIT_DIGITS || !/^[0-9a-f]+$/.test(revision)) return undefined;
  const found = await scanRepository(cache, repository);
  const matches = found?.revisions.filter(({ commit }) => commit.startsWith(revision)) ?? [];
  return matches.length === 1 ? matches[0]?.commit : undefined;
}

async function notCached(cache: string, wanted: RepoName): Promise<InputError> {
  const where = formatRepoName(wanted);
  const fetch = `\`nextstep pull ${where}\``;
  const found = await scanRepository(cache, wanted.repository);
  if (found === undefined) {
    return new InputError("is no folder here, and no repository in the cache", {
      where,
      remedy: `give the path of a model folder, or fetch it with ${fetch}`,
    });
  }
  const others = found.revisions.map(({ commit, refs }) => refs[0] ?? commit.slice(0, MIN_COMMIT_DIGITS));
  return others.length === 0
    ? new InputError("was never fetched to its end", { where, remedy: `go on with ${fetch}` })
    : new InputError(`revision ${wanted.revision} is not in the cache, or was never fetched to its end`, {
        where,
        remedy: `fetch it with ${fetch}, or name one that is there: @${others.slice(0, 5).join(", @")}`,
      });
}
