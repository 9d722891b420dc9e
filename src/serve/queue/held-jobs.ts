/** @file The jobs in the hands of this process: their sign of life, how far they are, and whether they still are. */
import { setTimeout as wait } from "node:timers/promises";
import { AbortedError, type NextStepError, typedError } from "../../errors.ts";
import type { JobProgress } from "../contract/job.ts";
import type { Hold } from "./job-states.ts";
import type { QueueCore } from "./queue-core.ts";
import { SCHEMA } from "./schema.ts";

/** How far jobs are is written so often at most. */
const PROGRESS_MS = 250;
/** On a shared database a sign of life is given, and a cancellation whose notice was lost found, so often at least. */
const BEAT_MS = 1000;

/** What {@link HeldJobs} knows of one. */
export interface HeldJob {
  readonly hold: Hold;
  /** Since it was last written. */
  news: JobProgress | undefined;
  readonly controller: AbortController;
}

export class HeldJobs implements AsyncDisposable {
  readonly #core: QueueCore;
  readonly #onFault: (error: NextStepError) => void;
  readonly #held = new Map<string, HeldJob>();
  readonly #closing = new AbortController();
  readonly #unlisten: () => void;
  #beating: Promise<void> | undefined;
  #wake = new AbortController();

  constructor(core: QueueCore, onFault: (error: NextStepError) => void) {
    this.#core = core;
    this.#onFault = onFault;
    this.#unlisten = core.news.listen((item) => {
      // Perhaps another process cancelled it.
      if (core.database.isShared && (item.kind === "missed" || this.#held.has(item.job))) this.#wake.abort();
    });
  }

  get holds(): readonly Hold[] {
    return [...this.#held.values()].map(({ hold }) => hold);
  }

  add(held: HeldJob): void {
    this.#held.set(held.hold.job, held);
    this.#beating ??= this.#beat();
  }

  /** It is in order that it is held no longer. */
  drop({ job, attempt }: Hold): void {
    if (this.#held.get(job)?.hold.attempt === attempt) this.#held.delete(job);
  }

  /** It is held no longer, and whoever draws it is told. */
  takeAway(job: string, reason: string): void {
    const held = this.#held.get(job);
    if (held === undefined) return;
    this.#held.delete(job);
    held.controller.abort(new AbortedError(reason));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unlisten();
    this.#closing.abort();
    this.#wake.abort();
    await this.#beating;
    for (const job of [...this.#held.keys()]) this.takeAway(job, "the queue was closed");
  }

  /** As long as any job is held. */
  async #beat(): Promise<void> {
    let beaten = Number.NEGATIVE_INFINITY;
    while (this.#held.size > 0 && !this.#closing.signal.aborted) {
      const wasWoken = this.#wake.signal.aborted;
      if (wasWoken) this.#wake = new AbortController();
      const isDue = this.#core.database.isShared && performance.now() - beaten >= BEAT_MS;
      if (wasWoken || isDue || [...this.#held.values()].some(({ news }) => news !== undefined)) {
        beaten = performance.now();
        await this.#write().catch((error: unknown) => this.#onFault(typedError(error)));
      }
      await wait(PROGRESS_MS, undefined, this.#wake).catch(() => {});
    }
    this.#beating = undefined;
    if (this.#held.size > 0 && !this.#closing.signal.aborted) this.#beating = this.#beat();
  }

  async #write(): Promise<void> {
    const { database, news } = this.#core;
    const written = [...this.#held.values()];
    const progress = written.map((held) => {
      const text = held.news === undefined ? null : JSON.stringify(held.news);
      held.news = undefined;
      return text;
    });
    const rows = await database.transaction("process", (sql) =>
      sql.query<{ job: string }>(
        `UPDATE ${SCHEMA}.drawing SET beat = clock_timestamp(), progress = coalesce(held.progress::json, drawing.progress)
         FROM unnest($1::uuid[], $2::integer[], $3::text[]) AS held(job, attempt, progress)
         WHERE drawing.job = held.job AND drawing.attempt = held.attempt AND worker IS NOT NULL
         RETURNING drawing.job::text AS job`,
        [written.map(({ hold }) => hold.job), written.map(({ hold }) => hold.attempt), progress],
      ),
    );
    const still = new Set(rows.map(({ job }) => job));
    for (const [index, { hold }] of written.entries()) {
      if (!still.has(hold.job)) this.#loseHold(hold);
      else if (progress[index] !== null) news.tell({ kind: "progress", job: hold.job });
    }
  }

  /** Not what the same process has taken anew meanwhile. */
  #loseHold({ job, attempt }: Hold): void {
    if (this.#held.get(job)?.hold.attempt !== attempt) return;
    this.takeAway(job, "the job was cancelled, or given to another worker");
  }
}
