/** @file Removes stored files that nothing names any longer. */
import { unnamed } from "./blob-uses.ts";
import type { QueueCore } from "./queue-core.ts";
import { SCHEMA } from "./schema.ts";

/** A file is stored before it is named: by a request that is still being read, by a worker that is about to finish. */
const YOUNG_SECONDS = 3600;
/** Looked up at once. */
const BATCH = 500;
/** Whoever was told of a look has so long to fetch it. */
const LOOK_SECONDS = 60;

export class BlobSweep {
  readonly #core: QueueCore;

  constructor(core: QueueCore) {
    this.#core = core;
  }

  /** Of the names, removes those that nothing names, but for young ones: {@link sweepAll} finds them later. */
  async removeUnnamed(names: readonly string[]): Promise<void> {
    if (names.length === 0) return;
    const { database, blobs } = this.#core;
    const before = await this.#oldSince();
    for (const name of await unnamed(database, names)) await blobs.remove(name, before);
  }

  /** Looks that were followed by others, or whose jobs have ended. */
  async sweepLooks(): Promise<void> {
    const { database, blobs } = this.#core;
    const rows = await database.transaction("process", (sql) =>
      sql.query<{ name: string }>(
        `DELETE FROM ${SCHEMA}.blob_use WHERE dropped < clock_timestamp() - interval '${LOOK_SECONDS} seconds'
         RETURNING name`,
      ),
    );
    const names = [...new Set(rows.map(({ name }) => name))];
    // However young: a look is of no use but to its job.
    for (const name of await unnamed(database, names)) await blobs.remove(name);
  }

  /** Everything in the store that nothing names, and unfinished drawings of jobs that have ended. */
  async sweepAll(signal: AbortSignal): Promise<void> {
    const { database, blobs } = this.#core;
    const before = await this.#oldSince();
    let names: string[] = [];
    const removeNames = async (): Promise<void> => {
      for (const name of await unnamed(database, names)) await blobs.remove(name, before);
      names = [];
    };
    for await (const { name, modified } of blobs.list()) {
      if (signal.aborted) return;
      if (modified < before) names.push(name);
      if (names.length === BATCH) await removeNames();
    }
    await removeNames();
    for await (const { job } of blobs.drafts.list()) {
      if (signal.aborted) return;
      if (!(await this.#isLive(job))) await blobs.drafts.remove(job);
    }
  }

  /**
   * Unix seconds: what was stored since then may be about to be named. A worker stores the first picture of a job long
   * before it finishes the last one.
   */
  async #oldSince(): Promise<number> {
    const [row] = await this.#core.database.query<{ since: number }>(
      `SELECT extract(epoch FROM least(
         clock_timestamp() - interval '${YOUNG_SECONDS} seconds',
         (SELECT min(started) FROM ${SCHEMA}.job WHERE ended IS NULL)
       ))::float8 AS since`,
    );
    return row?.since ?? 0;
  }

  async #isLive(job: string): Promise<boolean> {
    const rows = await this.#core.database.query(
      `SELECT 1 FROM ${SCHEMA}.job WHERE id::text = $1 AND ended IS NULL`,
      [job],
    );
    return rows.length > 0;
  }
}
