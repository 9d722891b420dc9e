/** @file What must be true of a server's jobs, gallery and store after it was killed many times. */
import { readFile, utimes } from "node:fs/promises";
import { join } from "node:path";
import { isTemporaryName } from "../../src/files/replacement-file.ts";
import { BlobSweep } from "../../src/serve/queue/blob-sweep.ts";
import type { Database } from "../../src/serve/queue/database.ts";
import { QueueCore } from "../../src/serve/queue/queue-core.ts";
import { SCHEMA } from "../../src/serve/queue/schema.ts";
import { FolderStore } from "../../src/serve/store/folder-store.ts";
import { digestOf, filesBelow } from "./folder-digest.ts";
import type { Promises } from "./serve-clients.ts";
import {
  type ListedJob,
  type ListedPicture,
  listAll,
  pictureDigest,
  pictureKey,
  type ServedWish,
  WISHES,
} from "./serve-wishes.ts";

/** Files of an embedded queue, which are PostgreSQL's own. */
const DATABASE = /^queue\/database\//;
/** Older than anything that a sweep leaves alone for its youth. */
const LONG_AGO_SECONDS = 7200;

/** What is wrong, and what was found. */
export interface Findings {
  readonly lost: readonly string[];
  readonly outcomes: Readonly<Record<string, number>>;
}

/** Jobs and gallery as a running server tells them. @param whole digests of undisturbed pictures by {@link pictureKey} */
export async function checkServed(
  url: string,
  promises: Promises,
  whole: ReadonlyMap<string, string>,
): Promise<Findings> {
  const lost = [...promises.wrong];
  const outcomes: Record<string, number> = { "pictures answered to clients": promises.answered };
  const jobs = await listAll<ListedJob>(url, "/v1/jobs");
  const pictures = await listAll<ListedPicture>(url, "/v1/gallery");
  const unknown = new Map(promises.unanswered);
  for (const job of jobs) {
    const wish = WISHES.find(({ prompt }) => prompt === job.request.prompt);
    if (wish === undefined) {
      lost.push(`job ${job.id} is of nobody's wish`);
      continue;
    }
    outcomes[`jobs ${job.status}`] = (outcomes[`jobs ${job.status}`] ?? 0) + 1;
    const told = promises.accepted.has(job.id);
    const more = (unknown.get(wish.prompt) ?? 0) - 1;
    if (!told) unknown.set(wish.prompt, more);
    if (!told && more < 0)
      lost.push(`job ${job.id}, "${wish.prompt}": was asked for once and is there twice`);
    const bad = badEnd(
      job,
      wish,
      promises,
      pictures.flatMap((one) => (one.job === job.id ? [one.seed] : [])),
    );
    if (bad !== undefined) lost.push(`job ${job.id}, "${wish.prompt}": ${bad}`);
  }
  const listed = new Set(jobs.map(({ id }) => id));
  for (const [id, { prompt }] of promises.accepted) {
    if (!listed.has(id)) lost.push(`job ${id}, "${prompt}": was accepted and is not there`);
  }
  for (const picture of pictures) {
    const same = (await pictureDigest(url, picture)) === whole.get(pictureKey(picture));
    if (!same) lost.push(`picture ${picture.id}, ${pictureKey(picture)}: is another one`);
    outcomes[same ? "pictures, the same bytes" : "pictures, others"] =
      (outcomes[same ? "pictures, the same bytes" : "pictures, others"] ?? 0) + 1;
  }
  return { lost, outcomes };
}

/** @param seeds of its pictures in the gallery */
function badEnd(
  { id, status, error }: ListedJob,
  { count, seed, fails, manner }: ServedWish,
  { cancelled, mayBeCancelled }: Promises,
  seeds: readonly number[],
): string | undefined {
  const told = cancelled.get(id);
  if (told === "cancelled" && status !== "cancelled") return `was cancelled, and is ${status}`;
  switch (status) {
    case "finished": {
      if (fails) return "has an open fault and is finished";
      const wanted = Array.from({ length: count }, (_, index) => seed + index);
      const found = seeds.toSorted((a, b) => a - b);
      if (found.join() === wanted.join()) return undefined;
      return `has pictures of the seeds ${found.join(", ")} in place of ${wanted.join(", ")}`;
    }
    case "failed":
      if (!fails) return `failed: ${error?.message}`;
      return seeds.length > 0 ? "failed and has pictures" : undefined;
    case "cancelled":
      if (manner !== "leaves" && !mayBeCancelled.has(id)) return "is cancelled, and nobody asked for that";
      return seeds.length > 0 ? "is cancelled and has pictures" : undefined;
    default:
      return `has not ended: ${status}`;
  }
}

/**
 * The store when no server runs: whole files by their names, nothing beside that nobody would remove, and behind a sweep
 * what the database names and not a file more.
 */
export async function checkStore(folder: string, database: Database): Promise<readonly string[]> {
  const lost: string[] = [];
  const names = (await filesBelow(folder)).filter((name) => !DATABASE.test(name));
  const long = Date.now() / 1000 - LONG_AGO_SECONDS;
  for (const name of names) {
    const [place, , , file = ""] = name.split("/");
    if (place === "drafts" || (place === "blobs" && isTemporaryName(file))) {
      // A killed process leaves these, and whoever sweeps finds them.
    } else if (place === "blobs") {
      const is = digestOf(await readFile(join(folder, name)));
      if (is !== file) lost.push(`${name} is not whole`);
    } else if (!isHeldLock(name)) lost.push(`${name} is left behind`);
    await utimes(join(folder, name), long, long);
  }
  await using store = await FolderStore.open(folder);
  await using core = await QueueCore.start(database, store);
  await database.script(
    `UPDATE ${SCHEMA}.blob_use SET dropped = dropped - interval '${LONG_AGO_SECONDS} seconds'`,
  );
  const sweep = new BlobSweep(core);
  await sweep.sweepLooks();
  await sweep.sweepAll(new AbortController().signal);
  const used = await database.query<{ name: string }>(`SELECT DISTINCT name FROM ${SCHEMA}.blob_use`);
  const named = new Set(used.map(({ name }) => name));
  for (const path of await filesBelow(folder)) {
    if (DATABASE.test(path) || isHeldLock(path)) continue;
    if (!named.delete(path.split("/").at(-1) ?? "")) lost.push(`${path} is named by nothing and stays`);
  }
  for (const name of named) lost.push(`${name} is named and not there`);
  return lost;
}

/** Of the process that looks. */
function isHeldLock(path: string): boolean {
  return path.startsWith(`queue/.lock-${process.pid}-`);
}
