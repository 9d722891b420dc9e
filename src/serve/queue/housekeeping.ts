/** @file What is done from time to time, so that nothing that is over stays for ever, and nothing that was lost is forgotten. */
import { setTimeout as wait } from "node:timers/promises";
import { type NextStepError, typedError } from "../../errors.ts";
import type { Gallery, Retention } from "../contract/gallery.ts";
import type { BlobSweep } from "./blob-sweep.ts";
import { takeBackLost } from "./job-states.ts";
import type { QueueCore } from "./queue-core.ts";
import { SCHEMA } from "./schema.ts";

const LOOKS_SECONDS = 30;
const HOUR_SECONDS = 3600;
const RETENTION_SECONDS = 300;
/** A few thousand rows of the busiest table. */
const TIDY_SECONDS = 300;
/** Of jobs that have ended, however young they are. */
const MOST_ENDED_JOBS = 10_000;

export interface HousekeepingOptions {
  /** A worker on a shared database that was silent for so long has lost its jobs. */
  readonly leaseSeconds: number;
  /** Jobs that have ended are forgotten after so long; their pictures stay. */
  readonly keepEndedSeconds: number;
  readonly retention: Retention;
  readonly onFault: (error: NextStepError) => void;
}

export class Housekeeping implements AsyncDisposable {
  readonly #core: QueueCore;
  readonly #options: HousekeepingOptions;
  readonly #closing = new AbortController();
  readonly #chores: readonly Promise<void>[];

  constructor(core: QueueCore, gallery: Gallery, sweep: BlobSweep, options: HousekeepingOptions) {
    this.#core = core;
    this.#options = options;
    const { leaseSeconds, retention } = options;
    const { signal } = this.#closing;
    this.#chores = [
      this.#every(leaseSeconds / 4, () => this.#takeBack(), core.database.isShared),
      this.#every(LOOKS_SECONDS, () => sweep.sweepLooks()),
      this.#every(TIDY_SECONDS, () => core.database.tidy()),
      this.#every(RETENTION_SECONDS, () => gallery.sweep(retention), Object.keys(retention).length > 0),
      this.#every(RETENTION_SECONDS, () => this.forgetEnded()),
      this.#every(HOUR_SECONDS / 4, async () => {
        if (await this.#isMine("sweep", HOUR_SECONDS)) await sweep.sweepAll(signal);
      }),
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await Promise.all(this.#chores);
  }

  async #every(seconds: number, work: () => Promise<unknown>, isNeeded = true): Promise<void> {
    const { signal } = this.#closing;
    while (isNeeded && !signal.aborted) {
      await wait(seconds * 1000, undefined, { signal, ref: false }).catch(() => {});
      if (signal.aborted) return;
      await work().catch((error: unknown) => this.#options.onFault(typedError(error)));
    }
  }

  /** Looks before it takes the lock that everybody waits for. */
  async #takeBack(): Promise<void> {
    const { leaseSeconds } = this.#options;
    const silent = await this.#core.database.query(
      `SELECT 1 FROM ${SCHEMA}.drawing
       WHERE worker IS NOT NULL AND beat < clock_timestamp() - $1::float8 * interval '1 second' LIMIT 1`,
      [leaseSeconds],
    );
    if (silent.length > 0) await this.#core.change((change) => takeBackLost(change, leaseSeconds));
  }

  async forgetEnded(): Promise<void> {
    await this.#core.database.transaction("process", (sql) =>
      sql.query(
        `DELETE FROM ${SCHEMA}.job WHERE ended IS NOT NULL AND (
           ended < clock_timestamp() - $1::float8 * interval '1 second'
           OR ended < (SELECT ended FROM ${SCHEMA}.job WHERE ended IS NOT NULL
                       ORDER BY ended DESC OFFSET ${MOST_ENDED_JOBS} LIMIT 1)
         )`,
        [this.#options.keepEndedSeconds],
      ),
    );
  }

  /** Of several servers on one database, one does a chore that is costly. */
  async #isMine(chore: string, seconds: number): Promise<boolean> {
    const rows = await this.#core.database.transaction("process", (sql) =>
      sql.query(
        `INSERT INTO ${SCHEMA}.chore (name, done) VALUES ($1, clock_timestamp())
         ON CONFLICT (name) DO UPDATE SET done = clock_timestamp()
           WHERE chore.done < clock_timestamp() - $2::float8 * interval '1 second'
         RETURNING 1`,
        [chore, seconds],
      ),
    );
    return rows.length > 0;
  }
}
