/** @file Queue, gallery and store of tests: in memory, and behaving as the contracts say. */
import { createHash, randomUUID } from "node:crypto";
import type { BlobStore, DraftStore } from "../contract/blob-store.ts";
import type { Gallery, GalleryEntry, GalleryFilter, NewPicture } from "../contract/gallery.ts";
import {
  ENDED,
  type JobFault,
  type JobPreview,
  type JobProgress,
  type JobRecord,
  type JobUsage,
  type NewJob,
} from "../contract/job.ts";
import type { ClaimedJob, JobDesk, JobFilter, JobQueue } from "../contract/job-queue.ts";
import { IdempotencyError, QueueFullError } from "../contract/serve-error.ts";

export class MemoryStore implements BlobStore {
  readonly blobs = new Map<string, Uint8Array>();
  readonly drafts: DraftStore;

  constructor() {
    const drafts = new Map<string, Uint8Array>();
    this.drafts = {
      async put(job, bytes) {
        drafts.set(job, bytes);
      },
      async get(job) {
        return drafts.get(job);
      },
      async remove(job) {
        drafts.delete(job);
      },
      async *list() {
        for (const job of drafts.keys()) yield { job, modified: 0 };
      },
    };
  }

  async put(bytes: Uint8Array): Promise<string> {
    const name = createHash("sha256").update(bytes).digest("hex");
    this.blobs.set(name, bytes);
    return name;
  }

  async get(name: string): Promise<Uint8Array | undefined> {
    return this.blobs.get(name);
  }

  async remove(name: string): Promise<void> {
    this.blobs.delete(name);
  }

  async *list(): AsyncGenerator<{ name: string; bytes: number; modified: number }> {
    for (const [name, { length }] of this.blobs) yield { name, bytes: length, modified: 0 };
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

export class MemoryGallery implements Gallery {
  readonly entries: GalleryEntry[] = [];

  async get(id: string): Promise<GalleryEntry | undefined> {
    return this.entries.find((entry) => entry.id === id);
  }

  async find(blob: string, owner?: string | null): Promise<GalleryEntry | undefined> {
    return this.entries.findLast(
      (entry) => entry.blob === blob && (owner === undefined || entry.owner === owner),
    );
  }

  async list({ before, limit, owner }: GalleryFilter): Promise<readonly GalleryEntry[]> {
    const all = this.entries.filter((entry) => owner === undefined || entry.owner === owner).toReversed();
    const from = before === undefined ? 0 : all.findIndex(({ id }) => id === before) + 1;
    return all.slice(from, from + limit);
  }

  async count(): Promise<number> {
    return this.entries.length;
  }

  async remove(id: string): Promise<boolean> {
    const at = this.entries.findIndex((entry) => entry.id === id);
    if (at >= 0) this.entries.splice(at, 1);
    return at >= 0;
  }

  async sweep(): Promise<number> {
    return 0;
  }
}

type Mutable<Type> = { -readonly [Key in keyof Type]: Type[Key] };

interface HeldJob {
  readonly record: Mutable<JobRecord>;
  readonly job: NewJob;
  readonly cancelled: AbortController;
}

export class MemoryQueue implements JobQueue {
  readonly jobs: HeldJob[] = [];
  readonly gallery: MemoryGallery;
  readonly desk: JobDesk;
  maxQueued = 64;
  #changed: (() => void)[] = [];

  constructor(gallery: MemoryGallery) {
    this.gallery = gallery;
    this.desk = {
      claim: async () => this.#claim(),
      wait: async (signal) => {
        if (signal.aborted || this.jobs.some(({ record }) => record.status === "queued")) return;
        await this.#change(signal);
      },
    };
  }

  async submit(job: NewJob): Promise<JobRecord> {
    const known = this.jobs.find(
      (held) =>
        job.idempotency !== null &&
        held.job.idempotency?.key === job.idempotency.key &&
        held.job.owner === job.owner,
    );
    if (known !== undefined) {
      if (known.job.idempotency?.digest !== job.idempotency?.digest) throw new IdempotencyError();
      return this.#view(known);
    }
    if ((await this.counts()).queued >= this.maxQueued) throw new QueueFullError(3);
    const held: HeldJob = {
      job,
      cancelled: new AbortController(),
      record: {
        id: randomUUID(),
        status: "queued",
        request: job.request,
        model: job.model,
        owner: job.owner,
        created: Date.now() / 1000,
        started: null,
        ended: null,
        attempts: 0,
        position: null,
        progress: null,
        preview: null,
        pictures: [],
        usage: null,
        fault: null,
      },
    };
    this.jobs.push(held);
    this.#tell();
    return this.#view(held);
  }

  async get(id: string): Promise<JobRecord | undefined> {
    const held = this.#find(id);
    return held === undefined ? undefined : this.#view(held);
  }

  async list({ statuses, before, limit, owner }: JobFilter): Promise<readonly JobRecord[]> {
    const all = this.jobs
      .filter(({ record }) => statuses === undefined || statuses.includes(record.status))
      .filter(({ record }) => owner === undefined || record.owner === owner)
      .toReversed();
    const from = before === undefined ? 0 : all.findIndex(({ record }) => record.id === before) + 1;
    return all.slice(from, from + limit).map((held) => this.#view(held));
  }

  async *watch(id: string, signal: AbortSignal): AsyncGenerator<JobRecord> {
    const held = this.#find(id);
    if (held === undefined) return;
    for (let last = ""; !signal.aborted; ) {
      const now = this.#view(held);
      const text = JSON.stringify(now);
      if (text !== last) yield now;
      last = text;
      if (ENDED.has(now.status)) return;
      if (JSON.stringify(this.#view(held)) === last) await this.#change(signal);
    }
  }

  async cancel(id: string): Promise<JobRecord | undefined> {
    const held = this.#find(id);
    if (held === undefined) return undefined;
    if (!ENDED.has(held.record.status)) {
      this.#end(held, "cancelled");
      held.cancelled.abort();
    }
    return this.#view(held);
  }

  async move(id: string, before: string | null): Promise<JobRecord | undefined> {
    const held = this.#find(id);
    const other = before === null ? undefined : this.#find(before);
    if (held?.record.status !== "queued" || (before !== null && other?.record.status !== "queued")) {
      return undefined;
    }
    this.jobs.splice(this.jobs.indexOf(held), 1);
    this.jobs.splice(other === undefined ? this.jobs.length : this.jobs.indexOf(other), 0, held);
    this.#tell();
    return this.#view(held);
  }

  async counts(): Promise<{ queued: number; drawing: number }> {
    const of = (status: JobRecord["status"]): number =>
      this.jobs.filter(({ record }) => record.status === status).length;
    return { queued: of("queued"), drawing: of("drawing") };
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #find(id: string): HeldJob | undefined {
    return this.jobs.find(({ record }) => record.id === id);
  }

  #view({ record }: HeldJob): JobRecord {
    const queued = this.jobs.filter((held) => held.record.status === "queued");
    const place = queued.findIndex((held) => held.record === record);
    return { ...record, position: place < 0 ? null : place };
  }

  #claim(): ClaimedJob | undefined {
    const held = this.jobs.find(({ record }) => record.status === "queued");
    if (held === undefined) return undefined;
    const { record, cancelled } = held;
    Object.assign(record, { status: "drawing", started: Date.now() / 1000, attempts: record.attempts + 1 });
    this.#tell();
    const lives = (): boolean => record.status === "drawing";
    return {
      record: this.#view(held),
      signal: cancelled.signal,
      progress: (progress: JobProgress) => {
        if (lives()) record.progress = progress;
        this.#tell();
      },
      preview: async (preview: JobPreview) => {
        if (lives()) record.preview = preview;
        this.#tell();
      },
      finish: async (pictures: readonly NewPicture[], usage: JobUsage) => {
        if (!lives()) return [];
        const entries = pictures.map((picture) => ({
          ...picture,
          id: randomUUID(),
          job: record.id,
          owner: record.owner,
          created: Date.now() / 1000,
          request: record.request,
        }));
        this.gallery.entries.push(...entries);
        Object.assign(record, { pictures: entries.map(({ id }) => id), usage });
        this.#end(held, "finished");
        return entries;
      },
      fail: async (fault: JobFault) => {
        if (!lives()) return;
        record.fault = fault;
        this.#end(held, "failed");
      },
      release: async () => {
        if (lives()) record.status = "queued";
        this.#tell();
      },
    };
  }

  #end({ record }: HeldJob, status: "finished" | "failed" | "cancelled"): void {
    Object.assign(record, { status, ended: Date.now() / 1000 });
    this.#tell();
  }

  #tell(): void {
    const waiting = this.#changed;
    this.#changed = [];
    for (const wake of waiting) wake();
  }

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        signal.removeEventListener("abort", wake);
        resolve();
      };
      this.#changed.push(wake);
      signal.addEventListener("abort", wake);
    });
  }
}
