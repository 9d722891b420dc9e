/** @file Where workers fetch jobs. */
import { setTimeout as wait } from "node:timers/promises";
import type { ClaimedJob, JobDesk } from "../contract/job-queue.ts";
import { QueuedJobClaim } from "./claimed-job.ts";
import type { HeldJobs } from "./held-jobs.ts";
import { readJob } from "./job-record.ts";
import { takeNext } from "./job-states.ts";
import { type QueueCore, refuseZero } from "./queue-core.ts";

/** Longest time between two looks into the queue: word of a job from another process may be lost. */
const LOOK_MS = 1000;

export class QueueDesk implements JobDesk, Disposable {
  readonly #core: QueueCore;
  readonly #held: HeldJobs;
  readonly #unlisten: () => void;
  /** Counts changes of the queue; the count at which nothing was found. */
  #changes = 0;
  #emptyAt = -1;
  readonly #waiting = new Set<() => void>();

  constructor(core: QueueCore, held: HeldJobs) {
    this.#core = core;
    this.#held = held;
    this.#unlisten = core.news.listen(({ kind }) => {
      if (kind === "progress") return;
      this.#changes++;
      for (const wake of this.#waiting) wake();
    });
  }

  async claim(worker: string, model: string): Promise<ClaimedJob | undefined> {
    refuseZero(worker, "worker");
    const at = this.#changes;
    await this.#core.dispatcher.prepare(model);
    // A claim that a power cut takes is a job that still waits.
    const taken = await this.#core.change(async (change) => {
      const hold = await takeNext(change, worker, model);
      return hold === undefined ? undefined : { hold, record: (await readJob(change, hold.job))! };
    }, "process");
    if (taken !== undefined) return new QueuedJobClaim(this.#core, this.#held, taken.hold, taken.record);
    this.#emptyAt = at;
    return undefined;
  }

  async wait(signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#changes > this.#emptyAt) return;
    // The worker's signal lives as long as the worker: nothing may stay on its list.
    const leaving = new AbortController();
    const leave = (): void => leaving.abort();
    this.#waiting.add(leave);
    signal.addEventListener("abort", leave);
    await wait(LOOK_MS, undefined, leaving).catch(() => {});
    signal.removeEventListener("abort", leave);
    this.#waiting.delete(leave);
  }

  [Symbol.dispose](): void {
    this.#unlisten();
    for (const wake of this.#waiting) wake();
  }
}
