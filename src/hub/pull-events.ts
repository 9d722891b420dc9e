/** @file What a pull tells while it works. */

/** A file of a plan. */
export interface PlannedFile {
  readonly repository: string;
  readonly path: string;
  readonly bytes: number;
  /** Whether it is in the cache already. */
  readonly isThere: boolean;
}

export type PullEvent =
  /** Before anything large is fetched. */
  | {
      readonly type: "plan";
      readonly repository: string;
      readonly revision: string;
      readonly commit: string;
      readonly files: readonly PlannedFile[];
      /** Repository that the autoencoder is taken from, if the model's own has none. */
      readonly autoencoder: string | null;
      readonly bytes: number;
      /** Of `bytes`, still to be fetched. */
      readonly missing: number;
      /** On the cache's disk; null where the system does not say. */
      readonly free: number | null;
    }
  /** `done` of `total` bytes are in the cache; of `file` the last ones. */
  | { readonly type: "progress"; readonly file: string; readonly done: number; readonly total: number }
  /** Something failed that may pass: it is tried again after a pause. */
  | { readonly type: "retry"; readonly reason: string; readonly waitMs: number };
