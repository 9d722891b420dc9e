/** @file The queue that servers and workers share. What is accepted here ends once, whatever process dies. */
import type { GalleryEntry, NewPicture } from "./gallery.ts";
import type { JobFault, JobPreview, JobProgress, JobRecord, JobStatus, JobUsage, NewJob } from "./job.ts";

export interface JobFilter {
  readonly statuses?: readonly JobStatus[];
  /** Newest first, older than this job. */
  readonly before?: string;
  /** 1 to 100. */
  readonly limit: number;
  /** Only jobs asked for with this key; absent: all. */
  readonly owner?: string;
}

/** For whoever takes requests. */
export interface JobQueue extends AsyncDisposable {
  /**
   * On the disk when this is answered.
   * @throws QueueFullError when as many jobs wait as may; IdempotencyError for another request under a used key.
   */
  submit(job: NewJob): Promise<JobRecord>;
  get(id: string): Promise<JobRecord | undefined>;
  list(filter: JobFilter): Promise<readonly JobRecord[]>;
  /** The record now and whenever it has changed, until it has ended; nothing for an unknown job. */
  watch(id: string, signal: AbortSignal): AsyncGenerator<JobRecord>;
  /** Ends a job that has not ended; answers with what it is then. */
  cancel(id: string): Promise<JobRecord | undefined>;
  /** Puts a queued job in front of another one of its model, or last; undefined where either does not wait. */
  move(id: string, before: string | null): Promise<JobRecord | undefined>;
  /** Counts by status, for metrics and limits. */
  counts(): Promise<{ readonly queued: number; readonly drawing: number }>;
  /** For whoever draws. */
  readonly desk: JobDesk;
}

/** For whoever draws. */
export interface JobDesk {
  /** The next job of a model, which is then this worker's until it ends or the worker falls silent. */
  claim(worker: string, model: string): Promise<ClaimedJob | undefined>;
  /** Resolves when there may be something to claim, at once in the process that submitted it, or after a pause; or when `signal` fires. */
  wait(signal: AbortSignal): Promise<void>;
}

/** A job in one worker's hands. Methods other than `signal` fail silently once it has been taken away. */
export interface ClaimedJob {
  readonly record: JobRecord;
  /** Fires when the job is cancelled, or was taken away because this worker was silent. */
  readonly signal: AbortSignal;
  /** Says that the worker lives and how far it is. Cheap to call often: what comes too soon is left out. */
  progress(progress: JobProgress): void;
  preview(preview: JobPreview): Promise<void>;
  /**
   * The pictures enter the gallery and the job ends, in one transaction. Their blobs are in the store already. As after
   * {@link fail}, the job's draft is removed.
   */
  finish(pictures: readonly NewPicture[], usage: JobUsage): Promise<readonly GalleryEntry[]>;
  fail(fault: JobFault): Promise<void>;
  /** Gives it back, in front of the queue: the server is stopping. */
  release(): Promise<void>;
}
