/** @file A job in the hands of a worker of this process. */
import { setTimeout as wait } from "node:timers/promises";
import { StorageError } from "../../errors.ts";
import type { GalleryEntry, NewPicture } from "../contract/gallery.ts";
import type { JobFault, JobPreview, JobProgress, JobRecord, JobUsage } from "../contract/job.ts";
import type { ClaimedJob } from "../contract/job-queue.ts";
import { dropLooks, recordUses } from "./blob-uses.ts";
import type { Sql } from "./database.ts";
import { enterPictures, picturesOf } from "./gallery-table.ts";
import type { HeldJob, HeldJobs } from "./held-jobs.ts";
import { endJob, giveBack, type Hold, isHeld } from "./job-states.ts";
import type { Change, QueueCore } from "./queue-core.ts";
import { SCHEMA } from "./schema.ts";

/** A database that is away for a moment must not cost what took minutes to draw. */
const PAUSES_MS: readonly number[] = [500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000];

export class QueuedJobClaim implements ClaimedJob {
  readonly record: JobRecord;
  readonly signal: AbortSignal;
  readonly #core: QueueCore;
  readonly #held: HeldJobs;
  readonly #state: HeldJob;

  constructor(core: QueueCore, held: HeldJobs, hold: Hold, record: JobRecord) {
    const controller = new AbortController();
    this.record = record;
    this.signal = controller.signal;
    this.#core = core;
    this.#held = held;
    this.#state = { hold, controller, news: undefined };
    held.add(this.#state);
  }

  progress(progress: JobProgress): void {
    this.#state.news = progress;
  }

  async preview(preview: JobPreview): Promise<void> {
    const { hold } = this.#state;
    const shown = await this.#core.database.transaction("process", async (sql) => {
      if (!(await isHeld(sql, hold))) return false;
      await sql.query(`UPDATE ${SCHEMA}.drawing SET preview = $2::json WHERE job = $1::uuid`, [
        hold.job,
        JSON.stringify(preview),
      ]);
      await dropLooks(sql, hold.job);
      await recordUses(sql, { job: hold.job, look: true }, preview.blobs);
      return true;
    });
    if (shown) this.#core.news.tell({ kind: "progress", job: hold.job });
  }

  async finish(pictures: readonly NewPicture[], usage: JobUsage): Promise<readonly GalleryEntry[]> {
    const { hold } = this.#state;
    return (
      (await this.#end(async (change) => {
        if (await isHeld(change, hold)) {
          await enterPictures(change, this.record, pictures);
          await endJob(change, hold.job, { status: "finished", usage });
        } else if (!(await this.#wasFinished(change))) return undefined;
        return picturesOf(change, hold.job);
      })) ?? []
    );
  }

  async fail(fault: JobFault): Promise<void> {
    const { hold } = this.#state;
    await this.#end(async (change) => {
      const isMine = await isHeld(change, hold);
      return isMine ? endJob(change, hold.job, { status: "failed", fault }) : undefined;
    });
  }

  async release(): Promise<void> {
    const { hold } = this.#state;
    this.#held.drop(hold);
    await this.#core.change(async (change) => {
      if (await isHeld(change, hold)) await giveBack(change, hold);
    });
  }

  /** By this attempt, whose answer was lost on its way. */
  async #wasFinished(sql: Sql): Promise<boolean> {
    const { job, attempt } = this.#state.hold;
    const rows = await sql.query(
      `SELECT 1 FROM ${SCHEMA}.job WHERE id = $1::uuid AND status = 'finished' AND attempts = $2`,
      [job, attempt],
    );
    return rows.length > 0;
  }

  /** @param end answers with undefined if the job is in other hands, to whom its draft is left. */
  async #end<T>(end: (change: Change) => Promise<T | undefined>): Promise<T | undefined> {
    const { hold } = this.#state;
    for (const pause of [...PAUSES_MS, undefined]) {
      try {
        const result = await this.#core.change(end);
        this.#held.drop(hold);
        if (result !== undefined) await removeDraft(this.#core, hold.job);
        return result;
      } catch (error) {
        if (pause === undefined || !(error instanceof StorageError)) throw error;
        await wait(pause);
      }
    }
    return undefined;
  }
}

/** What cannot be removed now is swept later. */
export async function removeDraft({ blobs }: QueueCore, job: string): Promise<void> {
  await blobs.drafts.remove(job).catch(() => {});
}
