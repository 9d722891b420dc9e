/** @file Store, gallery and queue in memory, for the tests of this room. */
import { createHash, randomUUID } from "node:crypto";
import type { BlobStore, DraftStore } from "../contract/blob-store.ts";
import type { DrawRequest } from "../contract/draw-request.ts";
import type { GalleryEntry, NewPicture } from "../contract/gallery.ts";
import type { JobFault, JobPreview, JobProgress, JobRecord, JobStatus, JobUsage } from "../contract/job.ts";
import type { ClaimedJob, JobDesk } from "../contract/job-queue.ts";

export class MemoryBlobs implements BlobStore {
  readonly held = new Map<string, Uint8Array>();
  readonly heldDrafts = new Map<string, Uint8Array>();
  readonly drafts: DraftStore;

  constructor() {
    const { heldDrafts } = this;
    this.drafts = {
      put: async (job, bytes) => void heldDrafts.set(job, bytes.slice()),
      get: async (job) => heldDrafts.get(job),
      remove: async (job) => void heldDrafts.delete(job),
      async *list() {
        for (const job of heldDrafts.keys()) yield { job, modified: 0 };
      },
    };
  }

  async put(bytes: Uint8Array): Promise<string> {
    const name = createHash("sha256").update(bytes).digest("hex");
    this.held.set(name, bytes.slice());
    return name;
  }

  async get(name: string): Promise<Uint8Array | undefined> {
    return this.held.get(name);
  }

  async remove(name: string): Promise<void> {
    this.held.delete(name);
  }

  async *list(): AsyncGenerator<{ name: string; bytes: number; modified: number }> {
    for (const [name, bytes] of this.held) yield { name, bytes: bytes.length, modified: 0 };
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** A job in the desk's hands. */
export interface DeskJob {
  readonly id: string;
  readonly request: DrawRequest;
  status: JobStatus;
  attempts: number;
  readonly progress: JobProgress[];
  readonly previews: JobPreview[];
  pictures: readonly NewPicture[];
  usage: JobUsage | undefined;
  fault: JobFault | undefined;
  cancel: AbortController;
}

/** First come, first served; a job that is released goes in front. */
export class MemoryDesk implements JobDesk {
  readonly jobs: DeskJob[] = [];
  /** Whose drafts go with jobs that end. */
  readonly #blobs: BlobStore | undefined;
  readonly entries = new Map<string, GalleryEntry>();
  readonly #waiting: DeskJob[] = [];
  #wake = (): void => {};
  #watch: (() => void)[] = [];

  constructor(blobs?: BlobStore) {
    this.#blobs = blobs;
  }

  submit(request: DrawRequest): DeskJob {
    const job: DeskJob = {
      id: randomUUID(),
      request,
      status: "queued",
      attempts: 0,
      progress: [],
      previews: [],
      pictures: [],
      usage: undefined,
      fault: undefined,
      cancel: new AbortController(),
    };
    this.jobs.push(job);
    this.#waiting.push(job);
    this.#wake();
    return job;
  }

  cancel(job: DeskJob): void {
    job.status = "cancelled";
    job.cancel.abort();
    this.#changed();
  }

  async get(id: string): Promise<GalleryEntry | undefined> {
    return this.entries.get(id);
  }

  /** Resolves when a job is as wanted. */
  async until(
    job: DeskJob,
    isSo: (job: DeskJob) => boolean = ({ status }) => !OPEN.has(status),
  ): Promise<DeskJob> {
    while (!isSo(job)) await new Promise<void>((resolve) => this.#watch.push(resolve));
    return job;
  }

  async claim(): Promise<ClaimedJob | undefined> {
    const job = this.#waiting.shift();
    if (job === undefined) return undefined;
    job.status = "drawing";
    job.attempts++;
    job.cancel = new AbortController();
    const end = (status: JobStatus, change: Partial<DeskJob>): void => {
      if (job.status !== "drawing") return;
      Object.assign(job, change, { status });
      this.#changed();
    };
    return {
      record: recordOf(job),
      signal: job.cancel.signal,
      progress: (progress) => {
        job.progress.push(progress);
        this.#changed();
      },
      preview: async (preview) => {
        job.previews.push(preview);
        this.#changed();
      },
      finish: async (pictures, usage) => {
        if (job.status !== "drawing") return [];
        const entries = pictures.map((picture): GalleryEntry => {
          const id = randomUUID();
          return { ...picture, id, job: job.id, owner: null, created: 0, request: job.request };
        });
        for (const entry of entries) this.entries.set(entry.id, entry);
        await this.#blobs?.drafts.remove(job.id);
        end("finished", { pictures, usage });
        return entries;
      },
      fail: async (fault) => {
        await this.#blobs?.drafts.remove(job.id);
        end("failed", { fault });
      },
      release: async () => {
        if (job.status === "drawing") this.#waiting.unshift(job);
        end("queued", {});
        this.#wake();
      },
    };
  }

  async wait(signal: AbortSignal): Promise<void> {
    if (this.#waiting.length > 0 || signal.aborted) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  #changed(): void {
    const watch = this.#watch;
    this.#watch = [];
    for (const look of watch) look();
  }
}

const OPEN: ReadonlySet<JobStatus> = new Set(["queued", "drawing"]);

function recordOf({ id, request, status, attempts }: DeskJob): JobRecord {
  return {
    id,
    status,
    request,
    model: "test",
    owner: null,
    created: 0,
    started: 0,
    ended: null,
    attempts,
    position: null,
    progress: null,
    preview: null,
    pictures: [],
    usage: null,
    fault: null,
  };
}

/** A request of a tiny model for a picture of 2 x 2 tokens. */
export function requestOf(change: Partial<DrawRequest> = {}): DrawRequest {
  const size = change.native ?? { width: 32, height: 32 };
  return {
    task: "generation",
    prompt: "rain",
    count: 1,
    seed: 1,
    native: size,
    asked: size,
    settings: { steps: 2, cfg: 2 },
    images: [],
    readImages: false,
    ground: null,
    pasteBack: true,
    think: false,
    output: { format: "png", quality: 90 },
    previews: 0,
    ...change,
  };
}
