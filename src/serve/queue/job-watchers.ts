/** @file Those who watch jobs: told when a record has changed, by this process or, where there are others, by looking. */
import { setTimeout as wait } from "node:timers/promises";
import { AbortedError, type NextStepError, typedError } from "../../errors.ts";
import { ENDED, type JobRecord } from "../contract/job.ts";
import { readJobs } from "./job-record.ts";
import type { NewsItem } from "./news.ts";
import type { QueueCore } from "./queue-core.ts";

/** Between two looks at a shared database, whose notices may be lost. */
const LOOK_MS = 500;
/** Tries to read before those who watch are told that it fails. */
const TRIES = 20;

/** One who watches a job. Of several changes in a row only the last is handed on. */
class Watcher {
  /** Where the job stands may be changed by others. */
  isQueued = false;
  #seen: string | undefined;
  #next: JobRecord | undefined;
  #ended: { readonly error?: NextStepError } | undefined;
  #wake = (): void => {};

  tell(record: JobRecord): void {
    const text = JSON.stringify(record);
    if (text === this.#seen) return;
    this.#seen = text;
    this.isQueued = record.status === "queued";
    this.#next = record;
    this.#wake();
  }

  end(error?: NextStepError): void {
    this.#ended ??= error === undefined ? {} : { error };
    this.#wake();
  }

  async *read(): AsyncGenerator<JobRecord, void> {
    for (;;) {
      const record = this.#next;
      this.#next = undefined;
      if (record !== undefined) {
        yield record;
        if (ENDED.has(record.status)) return;
      } else if (this.#ended !== undefined) {
        if (this.#ended.error !== undefined) throw this.#ended.error;
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }
}

export class JobWatchers implements Disposable {
  readonly #core: QueueCore;
  readonly #watched = new Map<string, Set<Watcher>>();
  /** Jobs that are to be read again. */
  readonly #dirty = new Set<string>();
  readonly #closing = new AbortController();
  readonly #unlisten: () => void;
  #isReading = false;

  constructor(core: QueueCore) {
    this.#core = core;
    this.#unlisten = core.news.listen((item) => this.#onNews(item));
    if (core.database.isShared) void this.#look();
  }

  /** Ends in silence when the signal fires. @throws AbortedError when the queue is closed. */
  async *watch(job: string, signal: AbortSignal): AsyncGenerator<JobRecord, void> {
    if (signal.aborted) return;
    if (this.#closing.signal.aborted) throw closed();
    const watcher = new Watcher();
    const others = this.#watched.get(job) ?? new Set();
    this.#watched.set(job, others.add(watcher));
    const leave = (): void => watcher.end();
    signal.addEventListener("abort", leave);
    this.#mark([job]);
    try {
      yield* watcher.read();
    } finally {
      signal.removeEventListener("abort", leave);
      others.delete(watcher);
      if (others.size === 0 && this.#watched.get(job) === others) this.#watched.delete(job);
    }
  }

  [Symbol.dispose](): void {
    this.#unlisten();
    this.#closing.abort();
    this.#endAll(closed());
  }

  #onNews(item: NewsItem): void {
    this.#mark(item.kind === "missed" ? this.#watched.keys() : [item.job]);
    if (item.kind !== "queue") return;
    for (const [job, watchers] of this.#watched) {
      if ([...watchers].some(({ isQueued }) => isQueued)) this.#mark([job]);
    }
  }

  #mark(jobs: Iterable<string>): void {
    for (const job of jobs) if (this.#watched.has(job)) this.#dirty.add(job);
    if (this.#dirty.size > 0 && !this.#isReading) void this.#read();
  }

  async #read(): Promise<void> {
    this.#isReading = true;
    for (let failures = 0; this.#dirty.size > 0 && !this.#closing.signal.aborted; ) {
      const jobs = [...this.#dirty];
      this.#dirty.clear();
      try {
        const records = new Map((await readJobs(this.#core.database, jobs)).map((job) => [job.id, job]));
        for (const job of jobs) this.#tell(job, records.get(job));
        failures = 0;
      } catch (error) {
        for (const job of jobs) this.#dirty.add(job);
        if (++failures === TRIES) this.#endAll(typedError(error));
        else await wait(LOOK_MS, undefined, this.#closing).catch(() => {});
      }
    }
    this.#isReading = false;
  }

  #tell(job: string, record: JobRecord | undefined): void {
    for (const watcher of this.#watched.get(job) ?? []) {
      if (record === undefined) watcher.end();
      else watcher.tell(record);
    }
  }

  #endAll(error: NextStepError): void {
    this.#dirty.clear();
    for (const watchers of this.#watched.values()) for (const watcher of watchers) watcher.end(error);
  }

  async #look(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      this.#mark(this.#watched.keys());
      await wait(LOOK_MS, undefined, { signal }).catch(() => {});
    }
  }
}

function closed(): AbortedError {
  return new AbortedError("the queue was closed");
}
