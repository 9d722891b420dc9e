/** @file What the worker engine and its thread say to each other. Every request is answered once, by its id. */
import {
  AbortedError,
  ConfigError,
  DataFormatError,
  DownloadError,
  EngineError,
  type ErrorCode,
  type ErrorDetails,
  InputError,
  ModelFormatError,
  NextStepError,
  ShapeError,
  StorageError,
  UnsupportedError,
} from "../../errors.ts";
import type { OnnxModel } from "../../graph/onnx-writer.ts";
import type {
  ChainLink,
  EngineOptions,
  HostTensor,
  RowCopy,
  StateOrigin,
  StoredWeight,
  StoreRule,
} from "../engine.ts";

/** A state is named by its number on the way. */
export type FeedMessage = HostTensor | { readonly state: number; readonly rows?: number };
export type StoreMessage = Omit<StoreRule, "state"> & { readonly state: number };
export type OriginMessage = Omit<StateOrigin, "state"> & { readonly state: number };

export type LinkMessage = Omit<ChainLink, "session" | "feeds"> & {
  readonly session: number;
  readonly feeds: Readonly<Record<string, FeedMessage>>;
};

/** What a command answers with. */
export type Result =
  | Record<string, HostTensor>
  | readonly Record<string, HostTensor>[]
  | Float32Array
  | undefined;

export type Command =
  | {
      readonly kind: "weight";
      readonly session: number;
      readonly name: string;
      readonly weight: StoredWeight;
    }
  | { readonly kind: "dropWeights"; readonly session: number }
  | { readonly kind: "createSession"; readonly session: number; readonly model: OnnxModel }
  | {
      readonly kind: "run";
      readonly session: number;
      readonly feeds: Readonly<Record<string, FeedMessage>>;
      readonly fetch: readonly string[] | undefined;
      readonly store: readonly StoreMessage[];
    }
  | { readonly kind: "runChain"; readonly links: readonly LinkMessage[] }
  | { readonly kind: "disposeSession"; readonly session: number }
  | {
      readonly kind: "createState";
      readonly state: number;
      readonly shape: readonly number[];
      readonly origin: OriginMessage | undefined;
    }
  | {
      readonly kind: "copyRows";
      readonly source: number;
      readonly target: number;
      readonly rows: readonly RowCopy[];
    }
  | { readonly kind: "readState"; readonly state: number }
  | {
      readonly kind: "writeState";
      readonly state: number;
      readonly data: Float32Array;
      readonly offset: number;
    }
  | { readonly kind: "disposeState"; readonly state: number }
  | { readonly kind: "close" };

export interface Request {
  readonly id: number;
  readonly command: Command;
}

export interface ErrorMessage {
  readonly code: ErrorCode;
  readonly reason: string;
  readonly details: ErrorDetails;
}

export type Answer =
  | { readonly id: number; readonly value: Result }
  | { readonly id: number; readonly error: ErrorMessage };

/** What the thread is given when it starts. */
export interface WorkerData {
  readonly options: EngineOptions;
}

const ERROR_CLASSES: Readonly<
  Record<Exclude<ErrorCode, "memory">, new (reason: string, details?: ErrorDetails) => NextStepError>
> = {
  config: ConfigError,
  "model-format": ModelFormatError,
  "data-format": DataFormatError,
  input: InputError,
  shape: ShapeError,
  unsupported: UnsupportedError,
  download: DownloadError,
  storage: StorageError,
  aborted: AbortedError,
  engine: EngineError,
};

/** An error in a form that survives the way between threads. */
export function packError(error: unknown): ErrorMessage {
  if (error instanceof NextStepError) {
    const { code, reason, where, remedy } = error;
    return {
      code,
      reason,
      details: { ...(where === undefined ? {} : { where }), ...(remedy === undefined ? {} : { remedy }) },
    };
  }
  return { code: "engine", reason: error instanceof Error ? error.message : String(error), details: {} };
}

/** The error of {@link packError} again, of its own class. */
export function unpackError({ code, reason, details }: ErrorMessage): NextStepError {
  return code === "memory"
    ? new NextStepError(code, reason, details)
    : new ERROR_CLASSES[code](reason, details);
}
