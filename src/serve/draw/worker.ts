/** @file Claims jobs and draws them with an open model, as many at once as there is room for. */
import { setMaxListeners } from "node:events";
import { InsufficientMemoryError, type NextStepError, typedError } from "../../errors.ts";
import { relayed, untilAborted } from "../../generate/abort.ts";
import type { Model } from "../../generate/model.ts";
import type { BlobStore } from "../contract/blob-store.ts";
import type { Gallery } from "../contract/gallery.ts";
import type { ClaimedJob, JobDesk } from "../contract/job-queue.ts";
import { jobFault } from "./job-fault.ts";
import { type DrawnJob, JobRun, type RunNotice } from "./job-run.ts";
import { ModelHolder } from "./model-holder.ts";

export interface WorkerOptions {
  /** Tells the queue who draws. */
  readonly name: string;
  /** The served model, as jobs name it. */
  readonly model: string;
  /**
   * Opens it; called when the first job is there, unless it is open, and again when its engine has broken. Bounds of memory
   * and of pictures in the loop are options of opening.
   */
  readonly open: () => Promise<Model>;
  readonly desk: JobDesk;
  readonly blobs: BlobStore;
  readonly gallery: Pick<Gallery, "get">;
  /** Pictures from which on no other job is claimed, from 1. A job of several is claimed whole. */
  readonly maxBatch: number;
  /** For the log. Default: nobody hears it. */
  readonly onEvent?: (event: WorkerEvent) => void;
}

export type WorkerEvent =
  | (RunNotice & { readonly job: string })
  | { readonly kind: "claimed" | "finished" | "parked" | "left" | "waiting for memory"; readonly job: string }
  | { readonly kind: "failed"; readonly job: string; readonly error: NextStepError }
  /** The engine broke; what it was at goes on with a new one. */
  | { readonly kind: "model reopened"; readonly job: string; readonly error: NextStepError }
  /** The queue, the store or the model is not to be had; tried again. */
  | { readonly kind: "trouble"; readonly error: NextStepError };

/** How long a job's plan may hold back the next claim. */
const PLAN_MS = 250;
/** Before what failed outside of a job is tried again. */
const PAUSE_MS = 1000;
/** A job that has been given back as often is given up. */
const MAX_ATTEMPTS = 5;

export class Worker implements AsyncDisposable {
  readonly #options: WorkerOptions;
  readonly #holder: ModelHolder;
  readonly #stop = new AbortController();
  readonly #park = new AbortController();
  readonly #jobs = new Map<string, { readonly pictures: number; readonly done: Promise<void> }>();
  /** Jobs that wait until another has left. */
  readonly #held = new Set<string>();
  #wake: (() => void)[] = [];
  readonly #serving: Promise<void>;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#holder = new ModelHolder(options.open);
    // One for each job in hand.
    setMaxListeners(0, this.#park.signal);
    this.#serving = this.#serve();
  }

  /** Jobs in hand. */
  get jobs(): number {
    return this.#jobs.size;
  }

  /** Pictures of the jobs in hand. */
  get pictures(): number {
    return [...this.#jobs.values()].reduce((sum, { pictures }) => sum + pictures, 0);
  }

  /**
   * Claims nothing more and finishes what is in hand. When `signal` fires, what is not finished is parked as drafts and given
   * back, and goes on from there under another worker, or this one's successor. Resolves when nothing is in hand.
   */
  async drain(signal: AbortSignal): Promise<void> {
    this.#stop.abort();
    this.#leave();
    const park = (): void => this.#park.abort();
    if (signal.aborted) park();
    signal.addEventListener("abort", park, { once: true });
    try {
      await this.#serving;
      await Promise.all([...this.#jobs.values()].map(({ done }) => done));
    } finally {
      signal.removeEventListener("abort", park);
    }
  }

  /** {@link drain} at once, and closes the model. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain(AbortSignal.abort());
    await this.#holder[Symbol.asyncDispose]();
  }

  async #serve(): Promise<void> {
    const { desk, name, model } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        // Asked for first: who leaves while this looks for room is not missed.
        const left = this.#oneLeft();
        if (!(await this.#hasRoom())) {
          await left;
          continue;
        }
        const job = await desk.claim(name, model);
        if (job === undefined) await desk.wait(signal);
        else await this.#take(job);
      } catch (error) {
        this.#tell({ kind: "trouble", error: typedError(error) });
        await this.#pause();
      }
    }
  }

  /** Whoever has to wait for memory, in the loop or before it, goes before those who come later. */
  async #hasRoom(): Promise<boolean> {
    if (this.#jobs.size === 0) return true;
    if (this.#held.size > 0 || this.pictures >= this.#options.maxBatch) return false;
    return (await this.#holder.model()).waiting === 0;
  }

  /** Begins a job, and lets its plan be made in front of the next one's. */
  async #take(job: ClaimedJob): Promise<void> {
    const { id, request } = job.record;
    this.#tell({ kind: "claimed", job: id });
    let planned = (): void => {};
    const isPlanned = new Promise<void>((resolve) => {
      planned = resolve;
    });
    const done = this.#draw(job, planned).catch((error: unknown) => {
      // The queue has the job back when it has heard nothing for a while.
      this.#tell({ kind: "trouble", error: typedError(error) });
    });
    this.#jobs.set(id, { pictures: request.count, done });
    void done.finally(() => {
      this.#jobs.delete(id);
      this.#leave();
    });
    await Promise.race([isPlanned, done, elapsed(PLAN_MS)]);
  }

  async #draw(job: ClaimedJob, planned: () => void): Promise<void> {
    const { id } = job.record;
    const { blobs, gallery } = this.#options;
    const run = new JobRun(job, {
      sources: { blobs, gallery },
      park: this.#park.signal,
      onNotice: (notice) => this.#tell({ ...notice, job: id }),
    });
    let reopened = false;
    for (;;) {
      let model: Model | undefined;
      let drawn: DrawnJob;
      try {
        model = await this.#holder.model();
        drawn = await run.draw(model, planned);
      } catch (error) {
        if (job.signal.aborted) return this.#tell({ kind: "left", job: id });
        if (this.#park.signal.aborted) return this.#giveBack(job, run);
        if (error instanceof InsufficientMemoryError && this.#jobs.size > this.#held.size + 1) {
          await this.#waitForMemory(job);
          continue;
        }
        if (model === undefined) {
          this.#tell({ kind: "trouble", error: typedError(error) });
          await this.#pause();
          return this.#giveBack(job, run);
        }
        if (!reopened && (await this.#holder.replaceBroken(model))) {
          reopened = true;
          this.#tell({ kind: "model reopened", job: id, error: typedError(error) });
          continue;
        }
        this.#tell({ kind: "failed", job: id, error: typedError(error) });
        await this.#end(job, run, () => job.fail(jobFault(error)));
        return;
      }
      const { pictures, usage } = drawn;
      const told = await this.#end(job, run, () => job.finish(pictures, usage));
      if (told) this.#tell({ kind: "finished", job: id });
      return;
    }
  }

  /** Tells the queue how a job ended, which has its own patience; what was drawn is not lost if it is in vain. */
  async #end(job: ClaimedJob, run: JobRun, end: () => Promise<unknown>): Promise<boolean> {
    try {
      await end();
      return true;
    } catch (error) {
      this.#tell({ kind: "trouble", error: typedError(error) });
      await this.#giveBack(job, run);
      return false;
    }
  }

  /** With what was drawn of it. One that comes back again and again is given up. */
  async #giveBack(job: ClaimedJob, run: JobRun): Promise<void> {
    const { id, attempts } = job.record;
    if (attempts > MAX_ATTEMPTS && !this.#park.signal.aborted) {
      return job.fail(jobFault(new Error("given back too often")));
    }
    await run.park().catch((error: unknown) => {
      this.#tell({ kind: "draft not saved", job: id, error: typedError(error) });
    });
    await job.release();
    this.#tell({ kind: "parked", job: id });
  }

  async #waitForMemory({ record: { id }, signal }: ClaimedJob): Promise<void> {
    this.#tell({ kind: "waiting for memory", job: id });
    this.#held.add(id);
    using relay = relayed(signal, this.#park.signal);
    // Whether it may still be drawn, the drawing itself finds.
    await untilAborted(this.#oneLeft(), relay.signal).catch(() => {});
    this.#held.delete(id);
  }

  /** Until a job has left, or the worker is to stop. */
  #oneLeft(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  #leave(): void {
    const woken = this.#wake;
    this.#wake = [];
    for (const wake of woken) wake();
  }

  /** Shorter when the worker is to stop. */
  async #pause(): Promise<void> {
    await untilAborted(elapsed(PAUSE_MS), this.#stop.signal).catch(() => {});
  }

  #tell(event: WorkerEvent): void {
    this.#options.onEvent?.(event);
  }
}

function elapsed(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Starts at once. Disposing it parks what it draws, and closes the model. */
export function createWorker(options: WorkerOptions): Worker {
  return new Worker(options);
}
