/** @file Which files a repository holds at a revision, as the hub says. Nothing of it is believed unchecked. */
import { DownloadError } from "../errors.ts";
import { isJsonObject } from "../formats/json-file.ts";
import { quoted } from "../formats/quoted.ts";
import type { HubClient } from "./hub-client.ts";
import { isCommit, isSafePath, type RepoName } from "./repo-name.ts";
import type { Retry } from "./retry.ts";

/** What names a file's content: SHA-256 of large files, git's SHA-1 of small ones; also the blob's name in the cache. */
export interface Digest {
  readonly algorithm: "sha256" | "git-sha1";
  readonly hex: string;
}

export interface RepoFile {
  /** Relative, with forward slashes; safe to use below a folder. */
  readonly path: string;
  readonly bytes: number;
  readonly digest: Digest;
}

export interface RepoListing {
  readonly repository: string;
  /** The commit that the revision stands for. */
  readonly commit: string;
  readonly files: readonly RepoFile[];
}

/** A repository's card with all that its page shows; large ones have some hundred kilobytes. */
const MAX_CARD_BYTES = 32 * 1024 * 1024;
/** A page holds a thousand files, of some hundred bytes each. */
const MAX_PAGE_BYTES = 8 * 1024 * 1024;
const MAX_PAGES = 64;
const MAX_FILES = 20_000;
/** The largest published checkpoints have a hundredth of it. */
const MAX_FILE_BYTES = 2 ** 43;

export interface ListOptions {
  readonly signal: AbortSignal | undefined;
  readonly onRetry: (retry: Retry) => void;
}

/**
 * Asks the hub what `name` holds.
 * @throws DownloadError when there is no such thing, when access is refused, or when the answer is not one of a hub.
 */
export async function listRepository(
  client: HubClient,
  name: RepoName,
  { signal, onRetry }: ListOptions,
): Promise<RepoListing> {
  const { repository, revision } = name;
  const api = `${client.settings.endpoint}/api/models/${repository}`;
  const options = { subject: name, signal, onRetry };
  const card = await client.getJson(
    `${api}/revision/${encodeURIComponent(revision)}`,
    MAX_CARD_BYTES,
    options,
  );
  const commit = isJsonObject(card.json) ? card.json.sha : undefined;
  if (typeof commit !== "string" || !isCommit(commit)) throw notAHub("names no commit", name);
  // A tag may have moved since; files of one commit are asked for from here on.
  const files = new Map<string, RepoFile>();
  let address: string | undefined = `${api}/tree/${commit}?recursive=true`;
  for (let pages = 0; address !== undefined; pages++) {
    if (pages === MAX_PAGES) throw notAHub("has too many pages", name);
    const page = await client.getJson(address, MAX_PAGE_BYTES, options);
    if (!Array.isArray(page.json)) throw notAHub("is not a list", name);
    for (const entry of page.json as unknown[]) {
      const file = readEntry(entry, name);
      if (file !== undefined) files.set(file.path, file);
    }
    if (files.size > MAX_FILES) throw notAHub(`lists more than ${MAX_FILES} files`, name);
    address = nextPage(page.header("link"), client, address, name);
  }
  return { repository, commit, files: [...files.values()] };
}

/** Undefined for folders, and for what this program could not keep under its name on every system. */
function readEntry(entry: unknown, name: RepoName): RepoFile | undefined {
  if (!isJsonObject(entry)) throw notAHub("holds something other than files", name);
  const { type, path, size, oid, lfs } = entry;
  if (type !== "file") return undefined;
  if (typeof path !== "string") throw notAHub("holds a file without a name", name);
  if (!isSafePath(path)) throw notAHub(`holds a file by the name ${quoted(path)}`, name);
  const large = isJsonObject(lfs) ? lfs : undefined;
  const bytes = large?.size ?? size;
  if (typeof bytes !== "number" || !Number.isInteger(bytes) || bytes < 0 || bytes > MAX_FILE_BYTES) {
    throw notAHub(`gives ${quoted(path)} an impossible size`, name);
  }
  const hex = large === undefined ? oid : large.oid;
  const algorithm = large === undefined ? "git-sha1" : "sha256";
  if (typeof hex !== "string" || !(algorithm === "sha256" ? /^[0-9a-f]{64}$/ : /^[0-9a-f]{40}$/).test(hex)) {
    throw notAHub(`gives ${quoted(path)} no digest`, name);
  }
  return { path, bytes, digest: { algorithm, hex } };
}

/** Of a Link header (RFC 8288), the address with the relation "next"; it must be the hub's own. */
function nextPage(
  link: string | undefined,
  client: HubClient,
  from: string,
  name: RepoName,
): string | undefined {
  const next = /<([^<>]{1,4096})>\s*;\s*rel="?next"?/.exec(link ?? "")?.[1];
  if (next === undefined) return undefined;
  const url = URL.canParse(next, from) ? new URL(next, from) : undefined;
  if (url === undefined || !client.isHub(url)) throw notAHub("continues at another place", name);
  return url.href;
}

function notAHub(reason: string, { repository }: RepoName): DownloadError {
  return new DownloadError(`the hub's listing of it ${reason}`, {
    where: repository,
    remedy: "check HF_ENDPOINT; a hub does not answer so",
  });
}
