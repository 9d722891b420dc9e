/** @file What the doors are given: the rooms behind them, and how the server is to be. */
import type { BlobStore } from "../contract/blob-store.ts";
import type { PixelSize } from "../contract/draw-request.ts";
import type { Gallery } from "../contract/gallery.ts";
import type { JobQueue } from "../contract/job-queue.ts";
import type { ServedModel } from "../contract/served-model.ts";
import type { SettledSize } from "../contract/size-policy.ts";
import type { ApiKeys } from "./api-keys.ts";
import type { ServerLimits } from "./limits.ts";
import type { PageFiles } from "./page-files.ts";
import type { ServerLog } from "./server-log.ts";
import type { ServerMetrics } from "./server-metrics.ts";
import type { ServerState } from "./server-state.ts";
import type { SiteRules } from "./site-rules.ts";

/** The size policy, as far as the doors ask it. */
export interface SizeRule {
  readonly maxTokens: number;
  settle(asked: PixelSize | "auto"): SettledSize;
}

export interface ServerParts {
  readonly model: ServedModel;
  readonly sizes: SizeRule;
  readonly queue: JobQueue;
  readonly gallery: Gallery;
  readonly store: BlobStore;
  readonly limits: ServerLimits;
  readonly keys: ApiKeys;
  readonly site: SiteRules;
  readonly state: ServerState;
  readonly log: ServerLog;
  readonly metrics: ServerMetrics;
  /** Of this package. */
  readonly version: string;
  /** Most jobs that wait, as the queue was told. */
  readonly maxQueued: number;
  readonly page: PageFiles;
}
