/**
 * @file A model that is taken from the hub without being kept: its small files in a folder, its shards there one by one,
 * fetched when they are asked for and dropped when they were used, or read while they arrive. What the cache holds is
 * used from there and stays.
 */
import { createReadStream } from "node:fs";
import { rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { InputError, type NextStepError, refuseAborted, UnsupportedError } from "../errors.ts";
import { FileSource } from "../files/file-source.ts";
import { refuseFullDisk } from "../files/free-space.ts";
import { ProcessLock } from "../files/process-lock.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { ArrivingFile } from "./arriving-file.ts";
import { placeForeign, repoFolders, sizeOf } from "./cache-layout.ts";
import { contentHash } from "./content-hash.ts";
import { fetchFile } from "./fetch-file.ts";
import { type FileRequest, otherContent } from "./file-answer.ts";
import { HubClient } from "./hub-client.ts";
import type { HubSettings } from "./hub-settings.ts";
import { bytesBegun, discardIncomplete } from "./incomplete-file.ts";
import { refuseOffline } from "./pull.ts";
import type { PullEvent } from "./pull-events.ts";
import { type CachePlace, cachedPath, chooseFiles, type PullContext } from "./pull-plan.ts";
import { listRepository, type RepoFile } from "./repo-listing.ts";
import { DEFAULT_REVISION, formatRepoName, type RepoName } from "./repo-name.ts";
import { type Clock, systemClock } from "./retry.ts";
import { AUTOENCODER_FOLDER, AUTOENCODER_REPOSITORY, contentOf } from "./wanted-files.ts";

export interface PassingOptions {
  /** Where it passes through; made if need be, locked for this process. */
  readonly folder: string;
  readonly signal?: AbortSignal;
  /** Told of pauses before another try. */
  readonly onRetry?: (retry: Extract<PullEvent, { readonly type: "retry" }>) => void;
  readonly clock?: Clock;
}

/** A shard that can be read now. */
export interface PassingShard {
  /** Its bytes, which are read once and from front to back. */
  open(): Promise<ByteSource>;
  /** Of its content, as the hub lists it; undefined for the small files that git itself keeps, which were checked. */
  readonly sha256: string | undefined;
  /** What is thrown when its content turns out another. */
  otherContent(): NextStepError;
  /** Removes it, unless the cache holds it. */
  drop(): Promise<void>;
}

/** A file of a repository, and where it stands in the folder. */
interface Member {
  readonly place: CachePlace & { readonly repository: string };
  readonly file: RepoFile;
  readonly target: string;
}

export class PassingModel implements AsyncDisposable {
  readonly repository: string;
  readonly commit: string;
  /** Configuration, index, tokenizer, autoencoder: all but the shards. */
  readonly folder: string;
  readonly #context: PullContext;
  readonly #shards: ReadonlyMap<string, Member>;
  readonly #lock: ProcessLock;

  private constructor(
    folder: string,
    place: Member["place"],
    context: PullContext,
    shards: ReadonlyMap<string, Member>,
    lock: ProcessLock,
  ) {
    this.folder = folder;
    this.repository = place.repository;
    this.commit = place.commit;
    this.#context = context;
    this.#shards = shards;
    this.#lock = lock;
  }

  /**
   * Asks the hub what `name` holds and fetches the small files, its autoencoder's too where that is a repository of its
   * own. Interrupted at any moment, what was fetched is used the next time.
   * @throws DownloadError, InputError (no space, locked), ConfigError (offline), UnsupportedError (no model), AbortedError.
   */
  static async open(name: RepoName, settings: HubSettings, options: PassingOptions): Promise<PassingModel> {
    refuseOffline(settings);
    const { folder, signal, onRetry, clock = systemClock } = options;
    const client = new HubClient(settings, clock);
    const onEvent = (event: PullEvent): void => {
      if (event.type === "retry") onRetry?.(event);
    };
    const context: PullContext = { client, signal, onEvent };
    let lock: ProcessLock | undefined;
    try {
      lock = await ProcessLock.acquire(
        folder,
        (pid) =>
          new InputError(`process ${pid} fetches into it`, {
            where: folder,
            remedy: "wait until it has ended",
          }),
      );
      const { place, files, shards, lacksAutoencoder } = await choose(context, name, folder);
      const isShard = new Set(shards);
      // Without an index, only the weights' file says which tensors there are.
      const isEarly = (path: string): boolean => !isShard.has(path) || shards.length === 1;
      const early = files.filter(({ file }) => isEarly(file.path));
      if (lacksAutoencoder) {
        const coder = { repository: AUTOENCODER_REPOSITORY, revision: DEFAULT_REVISION };
        early.push(...(await choose(context, coder, join(folder, AUTOENCODER_FOLDER))).files);
      }
      await refuseFullDisk(folder, await missingBytes(early));
      for (const member of early) await bring(context, member);
      const byName = new Map(
        files.filter(({ file }) => isShard.has(file.path)).map((member) => [member.file.path, member]),
      );
      return new PassingModel(folder, place, context, byName, lock);
    } catch (error) {
      await lock?.[Symbol.asyncDispose]();
      await client[Symbol.asyncDispose]();
      // Nothing stays of what did not begin; a folder with something in it refuses to go.
      await rmdir(folder).catch(() => {});
      throw error;
    }
  }

  /** Size of a shard, wherever it is. */
  bytesOf(shard: string): number {
    return this.#member(shard).file.bytes;
  }

  /** Whether a shard's digest is one that its reader takes, so that it may be read while it arrives. */
  isCheckedByReader(shard: string): boolean {
    return sha256Of(this.#member(shard)) !== undefined;
  }

  /** Bytes of a shard that are neither here nor in the cache. */
  missing(shard: string): Promise<number> {
    return missingBytes([this.#member(shard)]);
  }

  /**
   * Fetches a shard, unless it is here or in the cache.
   * @param onBytes told bytes that arrived, negative when some were thrown away; with those that were here
   */
  async fetch(
    shard: string,
    onBytes: (bytes: number) => void,
    signal: AbortSignal | undefined,
  ): Promise<PassingShard> {
    const member = this.#member(shard);
    const { hex } = member.file.digest;
    const here = await sizeOf(member.target);
    const cached = here === member.file.bytes ? undefined : await cachedPath(member.place, member.file);
    if (cached !== undefined) return storedShard(member, cached, async () => {});
    // What an earlier process left is not believed.
    if (here !== undefined && (await hashOf(member, signal)) !== hex) await this.drop(shard);
    await bring({ ...this.#context, signal }, member, onBytes);
    return storedShard(member, member.target, () => this.drop(shard));
  }

  /**
   * A shard that is fetched while it is read, and is never on the disk. What is there of it is dropped.
   * @param onBytes told bytes that arrived
   */
  async arriving(
    shard: string,
    onBytes: (bytes: number) => void,
    signal: AbortSignal | undefined,
  ): Promise<PassingShard> {
    const member = this.#member(shard);
    const { client, onEvent } = this.#context;
    await this.drop(shard);
    return {
      sha256: sha256Of(member),
      open: async () =>
        new ArrivingFile(client, {
          ...requestOf(member),
          ...{ signal, onBytes },
          onRetry: (retry) => onEvent({ type: "retry", ...retry }),
        }),
      otherContent: () => otherContent(requestOf(member)),
      drop: async () => {},
    };
  }

  /** Removes what is in the folder of a shard. */
  async drop(shard: string): Promise<void> {
    const { target } = this.#member(shard);
    await rm(target, { force: true });
    await discardIncomplete(target);
  }

  get shards(): readonly string[] {
    return [...this.#shards.keys()];
  }

  /** Removes the folder: the model has passed through. */
  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Leaves what is in the folder. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#lock[Symbol.asyncDispose]();
    await this.#context.client[Symbol.asyncDispose]();
  }

  #member(shard: string): Member {
    const member = this.#shards.get(shard);
    if (member !== undefined) return member;
    throw new InputError(`has no shard "${shard}"`, { where: this.repository });
  }
}

async function choose(context: PullContext, name: RepoName, folder: string) {
  const { client, signal, onEvent } = context;
  const onRetry = (retry: { readonly reason: string; readonly waitMs: number }): void =>
    onEvent({ type: "retry", ...retry });
  const listing = await listRepository(client, name, { signal, onRetry });
  const content = contentOf(listing);
  const isCoder = name.repository === AUTOENCODER_REPOSITORY;
  if (content.kind !== "model" && !isCoder) {
    throw new UnsupportedError("holds an autoencoder alone, whose weights stay as they are", {
      where: formatRepoName(name),
      remedy: "name the model that draws with it",
    });
  }
  const { commit, repository } = listing;
  const place = { repository, commit, folders: repoFolders(client.settings.cacheFolder, repository) };
  const member = (file: RepoFile): Member => ({
    place,
    file,
    target: join(folder, ...file.path.split("/")),
  });
  const chosen = await chooseFiles(listing, content, "draw", async (file) => {
    await bring(context, member(file));
    return FileSource.open(member(file).target);
  });
  return { ...chosen, place, files: chosen.files.map(member) };
}

async function missingBytes(members: readonly Member[]): Promise<number> {
  let sum = 0;
  for (const { place, file, target } of members) {
    if ((await sizeOf(target)) === file.bytes || (await cachedPath(place, file)) !== undefined) continue;
    sum += file.bytes - (await bytesBegun(target, file.bytes));
  }
  return sum;
}

async function hashOf({ file, target }: Member, signal: AbortSignal | undefined): Promise<string> {
  const hash = contentHash(file);
  for await (const chunk of createReadStream(target)) {
    refuseAborted(signal);
    hash.update(chunk as Buffer);
  }
  return hash.digest("hex");
}

function requestOf({ place, file }: Member): FileRequest {
  const { repository, commit: revision } = place;
  return { subject: { repository, revision, file: file.path }, file };
}

function sha256Of({ file: { digest } }: Member): string | undefined {
  return digest.algorithm === "sha256" ? digest.hex : undefined;
}

/** A shard that lies at `path`. */
function storedShard(member: Member, path: string, drop: () => Promise<void>): PassingShard {
  const otherContent = (): InputError =>
    new InputError("is damaged: its SHA-256 is not what the repository lists", {
      where: path,
      remedy: "convert again; if it is still there, remove it first",
    });
  return { open: () => FileSource.open(path), sha256: sha256Of(member), otherContent, drop };
}

/** Puts a file into the folder: from the cache, or from the hub. */
async function bring(
  { client, signal, onEvent }: PullContext,
  member: Member,
  onBytes: (bytes: number) => void = () => {},
): Promise<void> {
  const { place, file, target } = member;
  const isThere = async (): Promise<boolean> => (await sizeOf(target)) === file.bytes;
  if (await isThere()) return;
  const cached = await cachedPath(place, file);
  if (cached !== undefined) return placeForeign(cached, target);
  await fetchFile(client, {
    ...requestOf(member),
    ...{ target, signal, isThere, onBytes },
    onRetry: (retry) => onEvent({ type: "retry", ...retry }),
  });
}
