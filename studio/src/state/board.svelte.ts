/** @file The queue as the page shows it: everybody's jobs that have not ended, asked for again and again. */
import type { Job } from "../api/answers.ts";
import type { Client } from "../api/client.ts";
import { sleep } from "../api/follow-job.ts";
import { moveTarget, withJob, withList } from "../logic/job-board.ts";

/** Pauses between two lists, in milliseconds: while something is drawn, and while nothing is. */
const BUSY_PAUSE = 1_000;
const IDLE_PAUSE = 4_000;

export interface BoardEvents {
  /** Jobs have left the list. */
  ended(gone: readonly Job[]): void;
  reached(): void;
  /** Answers whether asking on makes sense. */
  failed(error: unknown): boolean;
}

export class Board {
  jobs = $state.raw<readonly Job[]>([]);
  /** The job whose events are followed. */
  followed: string | undefined;
  private nudge = new AbortController();

  constructor(
    private readonly client: Client,
    private readonly events: BoardEvents,
  ) {}

  /** Keeps asking until `signal` fires; hidden pages ask seldom. */
  async watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const { jobs, gone } = withList(this.jobs, await this.client.activeJobs(), this.followed);
        this.jobs = jobs;
        this.events.reached();
        if (gone.length > 0) this.events.ended(gone);
      } catch (error) {
        if (!this.events.failed(error)) return;
      }
      this.nudge = new AbortController();
      const pause = this.jobs.length > 0 && !document.hidden ? BUSY_PAUSE : IDLE_PAUSE;
      await sleep(pause, AbortSignal.any([signal, this.nudge.signal]));
    }
  }

  /** Asks now: something was done. */
  refresh(): void {
    this.nudge.abort();
  }

  update(job: Job): void {
    this.jobs = withJob(this.jobs, job);
  }

  async cancel(id: string): Promise<void> {
    this.update(await this.client.cancel(id));
    this.refresh();
  }

  /** Up or down by one in the queue; answers whether it could. */
  async move(id: string, by: -1 | 1): Promise<boolean> {
    const before = moveTarget(this.jobs, id, by);
    if (before === undefined) return false;
    await this.client.move(id, before);
    this.refresh();
    return true;
  }
}
