/** @file Where the hub's clients keep what they fetched: the same folders and names, so that each finds the other's. */
import {
  copyFile,
  link,
  lstat,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { makeFolder } from "../files/make-folder.ts";
import { replaceText } from "../files/replacement-file.ts";
import { hasCode, writeFailure } from "../files/write-failure.ts";
import type { RepoFile } from "./repo-listing.ts";
import { isCommit, isSafePath, parseRepoName } from "./repo-name.ts";

const FOLDER_START = "models--";
const CACHE_TAG = "CACHEDIR.TAG";
/** Of the cache directory tagging standard: backups pass over the folder. */
const CACHE_TAG_TEXT =
  "Signature: 8a477f597d28d172789f06886806bc55\n# Files of the model hub; they can be fetched again.\n";
const MAX_REF_BYTES = 256;

/** The folders of one repository in a cache. */
export interface RepoFolders {
  /** `models--org--name`. */
  readonly root: string;
  readonly blobs: string;
  readonly refs: string;
  readonly snapshots: string;
  readonly locks: string;
}

export function repoFolders(cache: string, repository: string): RepoFolders {
  const name = FOLDER_START + repository.replace("/", "--");
  const root = join(cache, name);
  return {
    root,
    blobs: join(root, "blobs"),
    refs: join(root, "refs"),
    snapshots: join(root, "snapshots"),
    locks: join(cache, ".locks", name),
  };
}

/** The repository whose folder has that name; undefined for anything else. */
export function repositoryOf(folderName: string): string | undefined {
  if (!folderName.startsWith(FOLDER_START)) return undefined;
  const name = folderName.slice(FOLDER_START.length).replace("--", "/");
  try {
    return parseRepoName(name).repository === name ? name : undefined;
  } catch {
    return undefined;
  }
}

/** What a snapshot's folder is called by people, `org/name@commit`; undefined for other folders. */
export function snapshotName(path: string): string | undefined {
  const parts = resolve(path).split(/[/\\]/);
  const [folder = "", middle, commit = ""] = parts.slice(-3);
  const repository = repositoryOf(folder);
  return repository !== undefined && middle === "snapshots" && isCommit(commit)
    ? `${repository}@${commit}`
    : undefined;
}

export function blobPath({ blobs }: RepoFolders, { digest }: RepoFile): string {
  return join(blobs, digest.hex);
}

export function snapshotPath({ snapshots }: RepoFolders, commit: string, path = ""): string {
  return join(snapshots, commit, ...path.split("/"));
}

/** Bytes of a regular file, through links; undefined if there is none. */
export async function sizeOf(path: string): Promise<number | undefined> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() === true ? found.size : undefined;
}

/** The commit that a branch or tag stood for when it was last fetched. */
export async function readRef({ refs }: RepoFolders, revision: string): Promise<string | undefined> {
  if (!isSafePath(revision)) return undefined;
  const path = join(refs, ...revision.split("/"));
  if (((await sizeOf(path)) ?? Number.POSITIVE_INFINITY) > MAX_REF_BYTES) return undefined;
  const commit = (await readFile(path, "utf8")).trim();
  return isCommit(commit) ? commit : undefined;
}

/** Remembers what a branch or tag stands for; a commit needs no such note. */
export async function writeRef({ refs }: RepoFolders, revision: string, commit: string): Promise<void> {
  if (revision === commit) return;
  const path = join(refs, ...revision.split("/"));
  await replaceText(path, commit);
}

/** Makes the folders that a repository needs. */
export async function makeFolders(cache: string, { blobs, snapshots, refs }: RepoFolders): Promise<void> {
  try {
    for (const folder of [blobs, snapshots, refs]) await makeFolder(folder);
  } catch (error) {
    throw writeFailure(error, cache);
  }
  // Only a courtesy to backups.
  await writeFile(join(cache, CACHE_TAG), CACHE_TAG_TEXT, { flag: "wx" }).catch(() => {});
}

/**
 * Puts a blob at its place in a snapshot, by a relative link; where there are no links, or none are wanted, the file
 * itself moves there, as the hub's other clients do.
 */
export async function placeBlob(blob: string, pointer: string, symlinks: boolean): Promise<void> {
  try {
    await makeFolder(dirname(pointer));
    if (await isLinkTo(pointer, blob)) return;
    await rm(pointer, { force: true });
    if (symlinks && (await linkFile(blob, pointer))) return;
    await rename(blob, pointer);
  } catch (error) {
    throw writeFailure(error, pointer);
  }
}

async function isLinkTo(pointer: string, blob: string): Promise<boolean> {
  const found = await lstat(pointer).catch(() => undefined);
  if (found?.isSymbolicLink() !== true) return false;
  return resolve(dirname(pointer), await readlink(pointer)) === resolve(blob);
}

/** False where the system makes no links: Windows without developer mode, some file systems. */
async function linkFile(blob: string, pointer: string): Promise<boolean> {
  try {
    await symlink(relative(dirname(pointer), blob), pointer);
    return true;
  } catch (error) {
    if (hasCode(error, "EPERM", "EACCES", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "UNKNOWN")) return false;
    throw error;
  }
}

/**
 * Gives a file of one repository a place in another's snapshot. Not by a symbolic link: clients that tidy the cache
 * would take the other repository's blob for this one's.
 */
export async function placeForeign(source: string, pointer: string): Promise<void> {
  try {
    await makeFolder(dirname(pointer));
    await rm(pointer, { force: true });
    const file = await realpath(source);
    try {
      await link(file, pointer);
    } catch (error) {
      if (!hasCode(error, "EPERM", "EXDEV", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK")) throw error;
      await copyFile(file, pointer);
    }
  } catch (error) {
    throw writeFailure(error, pointer);
  }
}
