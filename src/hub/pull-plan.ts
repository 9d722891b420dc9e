/** @file What one repository has to give, and fetching it. */

import { lstat, readlink } from "node:fs/promises";
import { basename } from "node:path";
import { FileSource } from "../files/file-source.ts";
import { isJsonObject, readJson } from "../formats/json-file.ts";
import { readWeightMap, SINGLE_FILE } from "../formats/safetensors-set.ts";
import {
  blobPath,
  makeFolders,
  placeBlob,
  type RepoFolders,
  repoFolders,
  sizeOf,
  snapshotPath,
} from "./cache-layout.ts";
import { fetchFile } from "./fetch-file.ts";
import type { HubClient } from "./hub-client.ts";
import type { PullEvent } from "./pull-events.ts";
import { listRepository, type RepoFile, type RepoListing } from "./repo-listing.ts";
import type { RepoName } from "./repo-name.ts";
import { CONFIG_FILE, contentOf, type PullPurpose, type RepoContent, wantedFiles } from "./wanted-files.ts";

export interface PullContext {
  readonly client: HubClient;
  readonly signal: AbortSignal | undefined;
  readonly onEvent: (event: PullEvent) => void;
}

/** The files of one repository that are needed, in the order in which they are fetched. */
export interface PullPlan extends RepoName {
  readonly commit: string;
  readonly folders: RepoFolders;
  readonly content: RepoContent;
  readonly files: readonly RepoFile[];
  readonly bytes: number;
  /** Whether the model draws pictures but holds nothing that decodes them. */
  readonly lacksAutoencoder: boolean;
}

/**
 * Asks the hub what `name` holds, and chooses. Fetches the descriptions without which nothing can be chosen: the index
 * of the shards, the configuration.
 */
export async function planPull(context: PullContext, name: RepoName, only: PullPurpose): Promise<PullPlan> {
  const { client, signal, onEvent } = context;
  const listing = await listRepository(client, name, {
    signal,
    onRetry: (retry) => onEvent({ type: "retry", ...retry }),
  });
  const content = contentOf(listing);
  const { cacheFolder, symlinks } = client.settings;
  const folders = repoFolders(cacheFolder, name.repository);
  const { commit } = listing;
  const open = async (file: RepoFile): Promise<FileSource> => {
    await makeFolders(cacheFolder, folders);
    const plan = { ...name, commit, folders, files: [file] };
    await fetchPlan(plan, { ...context, symlinks, done: 0, onProgress: () => {} });
    return FileSource.open(snapshotPath(folders, commit, file.path));
  };
  const { files, lacksAutoencoder } = await chooseFiles(listing, content, only, open);
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  return { ...name, commit, folders, content, files, bytes, lacksAutoencoder };
}

/** The files of a repository that are needed, in the order in which they are fetched. */
export interface ChosenFiles {
  readonly files: readonly RepoFile[];
  /** Names of the safetensors files that hold the weights of a model. */
  readonly shards: readonly string[];
  /** Whether the model draws pictures but holds nothing that decodes them. */
  readonly lacksAutoencoder: boolean;
}

/** @param open gets the descriptions without which nothing can be chosen: the index of the shards, the configuration. */
export async function chooseFiles(
  listing: RepoListing,
  content: RepoContent,
  only: PullPurpose,
  open: (file: RepoFile) => Promise<FileSource>,
): Promise<ChosenFiles> {
  const index = content.kind === "model" ? content.index : undefined;
  const shards =
    index === undefined ? undefined : [...new Set((await readWeightMap(await open(index))).values())];
  const files = wantedFiles(listing, content, shards, only);
  let lacksAutoencoder = false;
  if (content.kind === "model" && !content.hasAutoencoder) {
    const config = listing.files.find(({ path }) => path === CONFIG_FILE)!;
    const json = await readJson(await open(config));
    // A language model to start training from draws nothing.
    lacksAutoencoder = isJsonObject(json) && json.model_type === "nextstep";
  }
  return { files, shards: shards ?? (content.kind === "model" ? [SINGLE_FILE] : []), lacksAutoencoder };
}

export interface FetchPlanOptions extends PullContext {
  readonly symlinks: boolean;
  /** Bytes that count as done before. */
  readonly done: number;
  readonly onProgress: (file: string, done: number) => void;
}

/** Whether a file is in the cache, at its place or as a blob that has yet to be put there. */
export async function isCached(plan: CachePlace, file: RepoFile): Promise<boolean> {
  return (await cachedPath(plan, file)) !== undefined;
}

/** Where in the cache a file is; undefined if it is not there whole. */
export async function cachedPath(place: CachePlace, file: RepoFile): Promise<string | undefined> {
  const blob = blobPath(place.folders, file);
  if ((await sizeOf(blob)) === file.bytes) return blob;
  return (await isPlaced(place, file)) ? snapshotPath(place.folders, place.commit, file.path) : undefined;
}

/** A commit's place in the cache. */
export type CachePlace = Pick<PullPlan, "commit" | "folders">;
type FetchedPlan = Pick<PullPlan, "repository" | "commit" | "folders" | "files">;

/**
 * Fetches what is missing and puts everything into the snapshot.
 * @returns `done` and the bytes that were missing.
 */
export async function fetchPlan(plan: FetchedPlan, options: FetchPlanOptions): Promise<number> {
  const { client, signal, onEvent, onProgress, symlinks } = options;
  let { done } = options;
  for (const file of plan.files) {
    if (await isPlaced(plan, file)) continue;
    const { repository, commit, folders } = plan;
    const blob = blobPath(folders, file);
    const isThere = async (): Promise<boolean> => (await sizeOf(blob)) === file.bytes;
    if (!(await isThere())) {
      let arrived = 0;
      await fetchFile(client, {
        subject: { repository, revision: commit, file: file.path },
        file,
        target: blob,
        signal,
        isThere,
        onBytes: (bytes) => {
          arrived += bytes;
          onProgress(file.path, done + arrived);
        },
        onRetry: (retry) => onEvent({ type: "retry", ...retry }),
      });
      done += file.bytes;
      onProgress(file.path, done);
    }
    await placeBlob(blob, snapshotPath(folders, commit, file.path), symlinks);
  }
  return done;
}

/** A link must lead to the blob of that content; a file has no more than its size to show. */
async function isPlaced({ folders, commit }: CachePlace, file: RepoFile): Promise<boolean> {
  const pointer = snapshotPath(folders, commit, file.path);
  const found = await lstat(pointer).catch(() => undefined);
  if (found?.isSymbolicLink() === true && basename(await readlink(pointer)) !== file.digest.hex) return false;
  return (await sizeOf(pointer)) === file.bytes;
}
