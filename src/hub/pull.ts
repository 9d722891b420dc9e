/** @file Brings a model from the hub into the cache: what it needs, checked, once. */
import { ConfigError, InputError } from "../errors.ts";
import { freeBytes, RESERVE_BYTES } from "../files/free-space.ts";
import { blobPath, makeFolders, placeForeign, snapshotPath, writeRef } from "./cache-layout.ts";
import { formatBytes } from "./format-bytes.ts";
import { HubClient } from "./hub-client.ts";
import type { HubSettings } from "./hub-settings.ts";
import { bytesBegun } from "./incomplete-file.ts";
import { lockRepository } from "./lock-repository.ts";
import type { PlannedFile, PullEvent } from "./pull-events.ts";
import { fetchPlan, isCached, type PullContext, type PullPlan, planPull } from "./pull-plan.ts";
import { DEFAULT_REVISION, type RepoName } from "./repo-name.ts";
import { type Clock, systemClock } from "./retry.ts";
import { AUTOENCODER_FOLDER, AUTOENCODER_REPOSITORY, CONFIG_FILE, type PullPurpose } from "./wanted-files.ts";

export interface PullOptions {
  /** Default `draw`. */
  readonly only?: PullPurpose;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: PullEvent) => void;
  readonly clock?: Clock;
}

export interface PulledModel {
  /** `org/name`. */
  readonly repository: string;
  readonly commit: string;
  /** The snapshot, to be opened as a model folder. */
  readonly folder: string;
  /** Of all that it needs, and of what was fetched now. */
  readonly bytes: number;
  readonly fetched: number;
}

/**
 * Fetches what `name` needs to be opened and is not in the cache yet; its autoencoder too, where that is a repository
 * of its own. Interrupted at any moment, what was fetched is used the next time.
 * @throws DownloadError, InputError (no space, locked), ConfigError (offline), UnsupportedError (nothing here reads it),
 * AbortedError.
 */
export async function pull(
  name: RepoName,
  settings: HubSettings,
  options: PullOptions = {},
): Promise<PulledModel> {
  refuseOffline(settings);
  const { onEvent = () => {}, only = "draw", signal, clock = systemClock } = options;
  await using client = new HubClient(settings, clock);
  await using _lock = await lockRepository(settings.cacheFolder, name.repository);
  const context = { client, signal, onEvent };
  const model = await planPull(context, name, only);
  if (!model.lacksAutoencoder) {
    const fetched = await fetchPlans(context, [model], null);
    return await finish(model, model.bytes, fetched);
  }
  await using _other = await lockRepository(settings.cacheFolder, AUTOENCODER_REPOSITORY);
  const coder = { repository: AUTOENCODER_REPOSITORY, revision: DEFAULT_REVISION };
  const autoencoder = await planPull(context, coder, "draw");
  const fetched = await fetchPlans(context, [autoencoder, model], AUTOENCODER_REPOSITORY);
  const weights = autoencoder.content.kind === "autoencoder" ? autoencoder.content.weights.path : CONFIG_FILE;
  for (const file of new Set([CONFIG_FILE, weights])) {
    const source = snapshotPath(autoencoder.folders, autoencoder.commit, file);
    await placeForeign(source, snapshotPath(model.folders, model.commit, `${AUTOENCODER_FOLDER}/${file}`));
  }
  await writeRef(autoencoder.folders, autoencoder.revision, autoencoder.commit);
  return await finish(model, model.bytes + autoencoder.bytes, fetched);
}

/** @throws ConfigError where the environment wants nothing fetched. */
export function refuseOffline({ offline }: HubSettings): void {
  if (!offline) return;
  throw new ConfigError("is set, so nothing is fetched", {
    where: "HF_HUB_OFFLINE",
    remedy: "unset it to pull",
  });
}

/** @returns bytes that were fetched. */
async function fetchPlans(
  context: PullContext,
  plans: readonly PullPlan[],
  autoencoder: string | null,
): Promise<number> {
  const { client, onEvent } = context;
  const { cacheFolder, symlinks } = client.settings;
  const files: PlannedFile[] = [];
  let begun = 0;
  for (const plan of plans) {
    await makeFolders(cacheFolder, plan.folders);
    for (const file of plan.files) {
      const isThere = await isCached(plan, file);
      if (!isThere) begun += await bytesBegun(blobPath(plan.folders, file), file.bytes);
      files.push({ repository: plan.repository, path: file.path, bytes: file.bytes, isThere });
    }
  }
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const missing = files.reduce((sum, { bytes, isThere }) => sum + (isThere ? 0 : bytes), -begun);
  const free = await freeBytes(cacheFolder);
  const { repository, revision, commit } = plans.at(-1)!;
  onEvent({
    type: "plan",
    ...{ repository, revision, commit, files, autoencoder, missing },
    bytes: total,
    free: free ?? null,
  });
  if (missing > 0 && free !== undefined && free < missing + RESERVE_BYTES) {
    throw new InputError(
      `${formatBytes(missing)} are to come, but only ${formatBytes(free)} are free on its disk`,
      {
        where: cacheFolder,
        remedy: "free some space, or name a folder on another disk in HF_HUB_CACHE",
      },
    );
  }
  let before = files.reduce((sum, { bytes, isThere }) => sum + (isThere ? bytes : 0), 0);
  for (const plan of plans) {
    before = await fetchPlan(plan, {
      ...context,
      symlinks,
      done: before,
      onProgress: (file, done) => onEvent({ type: "progress", file, done, total }),
    });
  }
  return missing;
}

/** The note of the revision comes last, so that a name never stands for a folder that is not whole. */
async function finish(plan: PullPlan, bytes: number, fetched: number): Promise<PulledModel> {
  const { repository, revision, commit, folders } = plan;
  await writeRef(folders, revision, commit);
  return { repository, commit, folder: snapshotPath(folders, commit), bytes, fetched };
}
