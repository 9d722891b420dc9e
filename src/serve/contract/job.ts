/** @file A job of the queue: a request on its way to pictures, as everybody who watches it sees it. */
import type { DrawRequest } from "./draw-request.ts";

/** `queued` also when a worker that had begun it is gone: another goes on with it. */
export type JobStatus = "queued" | "drawing" | "finished" | "failed" | "cancelled";

export const ENDED: ReadonlySet<JobStatus> = new Set(["finished", "failed", "cancelled"]);

/** How far a job is, as its worker last said. */
export interface JobProgress {
  /** Tokens that every picture has, of how many. */
  readonly token: number;
  readonly of: number;
  /** Rows of tokens that every picture has whole, of how many. */
  readonly rows: number;
  readonly ofRows: number;
  /** Seconds until the pictures are there; null before the first tokens. */
  readonly secondsLeft: number | null;
}

/** The unfinished pictures as they were last looked at. */
export interface JobPreview {
  /** Counts the looks, from 1. */
  readonly number: number;
  /** Rows of tokens that are whole in them; below is neutral. */
  readonly rows: number;
  /** PNG in the answer's size, a blob a picture. */
  readonly blobs: readonly string[];
}

/** Counts of tokens, for `usage`. */
export interface JobUsage {
  readonly textTokens: number;
  /** Tokens of input images. */
  readonly inputImageTokens: number;
  /** Tokens drawn or kept, of all pictures. */
  readonly outputTokens: number;
}

/** Why a job failed, as the answer says it. */
export interface JobFault {
  /** HTTP status: 400 for a request that cannot be met, 500 for a fault on this side. */
  readonly status: number;
  readonly message: string;
  readonly code: string | null;
  readonly param: string | null;
}

export interface JobRecord {
  readonly id: string;
  readonly status: JobStatus;
  readonly request: DrawRequest;
  /** Identifier of the served model that is to draw it. */
  readonly model: string;
  /** Name of the API key that it was asked with; null without keys. */
  readonly owner: string | null;
  /** Unix seconds, fractions included. */
  readonly created: number;
  readonly started: number | null;
  readonly ended: number | null;
  /** How often a worker has begun it. */
  readonly attempts: number;
  /** Jobs in front of it, 0 for the next; null when it is not queued. */
  readonly position: number | null;
  readonly progress: JobProgress | null;
  readonly preview: JobPreview | null;
  /** Identifiers of its pictures in the gallery, in order; empty until it is finished. */
  readonly pictures: readonly string[];
  readonly usage: JobUsage | null;
  readonly fault: JobFault | null;
}

/** The same request again, as clients with retries send it, gets the same job. */
export interface NewJob {
  readonly request: DrawRequest;
  readonly model: string;
  readonly owner: string | null;
  /** `Idempotency-Key`, with the digest of the request as it came: another request under the same key is refused. */
  readonly idempotency: { readonly key: string; readonly digest: string } | null;
}
