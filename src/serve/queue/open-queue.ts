/** @file Opens the queue and the gallery beside it. */
import { ConfigError, type NextStepError } from "../../errors.ts";
import type { BlobStore } from "../contract/blob-store.ts";
import type { Gallery, Retention } from "../contract/gallery.ts";
import type { JobRecord, NewJob } from "../contract/job.ts";
import type { JobDesk, JobFilter, JobQueue } from "../contract/job-queue.ts";
import { BlobSweep } from "./blob-sweep.ts";
import { removeDraft } from "./claimed-job.ts";
import type { Database } from "./database.ts";
import { GalleryTable } from "./gallery-table.ts";
import { HeldJobs } from "./held-jobs.ts";
import { Housekeeping } from "./housekeeping.ts";
import { QueueDesk } from "./job-desk.ts";
import { listJobs, readJob } from "./job-record.ts";
import { endJob, giveBack, isHeld, takeBackLost } from "./job-states.ts";
import { JobWatchers } from "./job-watchers.ts";
import { moveJob } from "./move-job.ts";
import { isId, QueueCore } from "./queue-core.ts";
import { SCHEMA } from "./schema.ts";
import { submitJob } from "./submit-job.ts";

/** A folder of this process alone, or a PostgreSQL that any number of processes share. */
export type QueuePlace = { readonly folder: string } | { readonly databaseUrl: string };

export interface QueueOptions {
  /** Files of pictures; shared by all who share the database. */
  readonly blobs: BlobStore;
  /** Jobs that may wait, from 1. */
  readonly maxQueued: number;
  /** What the gallery keeps; default: everything. */
  readonly retention?: Retention;
  /** Jobs that have ended are forgotten after so long, pictures stay; default: two days. */
  readonly keepEndedSeconds?: number;
  /** A worker on a shared database that was silent for so long has lost its jobs; default: 20. */
  readonly leaseSeconds?: number;
  /** Told of what fails beside all calls; default: a warning of the process. */
  readonly onFault?: (error: NextStepError) => void;
}

export interface OpenQueue extends JobQueue {
  readonly gallery: Gallery;
}

const KEEP_ENDED_SECONDS = 2 * 24 * 3600;
const LEASE_SECONDS = 20;

/**
 * Makes or migrates the tables, and takes back what was being drawn when the process of a folder ended.
 * @throws InputError naming the process that has the folder open; StorageError for a database that does not answer or is
 * damaged; UnsupportedError for one that a newer program has changed.
 */
export async function openQueue(place: QueuePlace, options: QueueOptions): Promise<OpenQueue> {
  return startQueue(await openDatabase(place), options);
}

/** {@link openQueue} on a database that is open, and is closed with the queue. */
export async function startQueue(database: Database, options: QueueOptions): Promise<OpenQueue> {
  const { maxQueued } = options;
  try {
    if (!Number.isInteger(maxQueued) || maxQueued < 1)
      throw new ConfigError("maxQueued is a whole number from 1");
    const core = await QueueCore.start(database, options.blobs);
    if (!database.isShared) await core.change((change) => takeBackLost(change));
    return new DatabaseQueue(core, options);
  } catch (error) {
    await database[Symbol.asyncDispose]();
    throw error;
  }
}

/** Each kind of database brings a library of its own, which only its users load. */
async function openDatabase(place: QueuePlace): Promise<Database> {
  if ("folder" in place) return (await import("./embedded-database.ts")).EmbeddedDatabase.open(place.folder);
  return (await import("./shared-database.ts")).SharedDatabase.open(place.databaseUrl);
}

class DatabaseQueue implements OpenQueue {
  readonly desk: JobDesk;
  readonly gallery: Gallery;
  readonly #core: QueueCore;
  readonly #maxQueued: number;
  readonly #held: HeldJobs;
  readonly #desk: QueueDesk;
  readonly #watchers: JobWatchers;
  readonly #housekeeping: Housekeeping;
  #closing: Promise<void> | undefined;

  constructor(core: QueueCore, options: QueueOptions) {
    const onFault = options.onFault ?? ((error) => process.emitWarning(error.message));
    const sweep = new BlobSweep(core);
    this.#core = core;
    this.#maxQueued = options.maxQueued;
    this.#held = new HeldJobs(core, onFault);
    this.#desk = new QueueDesk(core, this.#held);
    this.#watchers = new JobWatchers(core);
    this.gallery = new GalleryTable(core, sweep);
    this.#housekeeping = new Housekeeping(core, this.gallery, sweep, {
      leaseSeconds: options.leaseSeconds ?? LEASE_SECONDS,
      keepEndedSeconds: options.keepEndedSeconds ?? KEEP_ENDED_SECONDS,
      retention: options.retention ?? {},
      onFault,
    });
    this.desk = this.#desk;
  }

  submit(job: NewJob): Promise<JobRecord> {
    return submitJob(this.#core, job, this.#maxQueued);
  }

  get(id: string): Promise<JobRecord | undefined> {
    return readJob(this.#core.database, id);
  }

  list(filter: JobFilter): Promise<readonly JobRecord[]> {
    return listJobs(this.#core.database, filter);
  }

  watch(id: string, signal: AbortSignal): AsyncGenerator<JobRecord> {
    return this.#watchers.watch(id, signal);
  }

  async cancel(id: string): Promise<JobRecord | undefined> {
    if (!isId(id)) return undefined;
    const { isEnding, record } = await this.#core.change(async (change) => ({
      isEnding: await endJob(change, id, { status: "cancelled" }),
      record: await readJob(change, id),
    }));
    if (isEnding) {
      this.#held.takeAway(id, "the job was cancelled");
      await removeDraft(this.#core, id);
    }
    return record;
  }

  async move(id: string, before: string | null): Promise<JobRecord | undefined> {
    if (!isId(id)) return undefined;
    return this.#core.change(async (change) =>
      (await moveJob(change, id, before)) ? readJob(change, id) : undefined,
    );
  }

  async counts(): Promise<{ readonly queued: number; readonly drawing: number }> {
    const [row] = await this.#core.database.query<{ queued: number; drawing: number }>(
      `SELECT count(*) FILTER (WHERE status = 'queued')::integer AS queued,
         count(*) FILTER (WHERE status = 'drawing')::integer AS drawing
       FROM ${SCHEMA}.job WHERE ended IS NULL`,
    );
    return row ?? { queued: 0, drawing: 0 };
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** What is still in the hands of this process goes back, in front of the queue. */
  async #close(): Promise<void> {
    const { holds } = this.#held;
    try {
      await this.#housekeeping[Symbol.asyncDispose]();
      await this.#held[Symbol.asyncDispose]();
      this.#watchers[Symbol.dispose]();
      this.#desk[Symbol.dispose]();
      await this.#core.change(async (change) => {
        for (const hold of holds) if (await isHeld(change, hold)) await giveBack(change, hold);
      });
    } finally {
      await this.#core[Symbol.asyncDispose]();
    }
  }
}
