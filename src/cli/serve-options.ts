/** @file Options of `nextstep serve` and `nextstep studio`. */
import type { LogFormat } from "../serve/http/server-log.ts";
import type { NamedAdapter } from "./adapter-options.ts";
import type { ModelOptions } from "./model-options.ts";

export const DEFAULT_HOST = "127.0.0.1";
export const DEFAULT_PORT = 8000;
/** Beside the eighth picture, another one makes all of them slower rather than the work cheaper. */
export const DEFAULT_MAX_BATCH = 8;
export const DEFAULT_MAX_QUEUED = 64;
/** Below the thirty seconds after which container platforms end a process that was asked to. */
export const DEFAULT_DRAIN_SECONDS = 20;

export interface ServeCommandOptions extends ModelOptions {
  readonly host: string;
  readonly port: number;
  readonly store?: string;
  readonly maxBatch: number;
  readonly maxQueued: number;
  readonly maxTokensPerImage?: number;
  readonly strictSizes?: true;
  readonly aliases: boolean;
  readonly adapter?: readonly NamedAdapter[];
  readonly publicUrl?: string;
  readonly cors?: readonly string[];
  readonly apiKeyFile?: string;
  readonly keepDays?: number;
  readonly keepGb?: number;
  readonly drainSeconds: number;
  readonly log: LogFormat;
}
