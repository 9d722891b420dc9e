/** @file The errors a caller can meet. Each names what was wrong, where, and what to do about it. */

export type ErrorCode =
  | "config"
  | "model-format"
  | "data-format"
  | "input"
  | "shape"
  | "unsupported"
  | "memory"
  | "download"
  | "storage"
  | "aborted"
  | "engine";

export interface ErrorDetails {
  /** File, field or option in which the fault lies, e.g. `model.safetensors` or `--steps`. */
  readonly where?: string;
  /** One sentence that tells the reader what to do next. */
  readonly remedy?: string;
  readonly cause?: unknown;
}

/** Base of every error that this package throws on purpose. `message` is one line: where, reason, remedy. */
export class NextStepError extends Error {
  override readonly name: string = "NextStepError";
  readonly code: ErrorCode;
  readonly reason: string;
  readonly where: string | undefined;
  readonly remedy: string | undefined;

  constructor(code: ErrorCode, reason: string, details: ErrorDetails = {}) {
    const place = details.where === undefined ? "" : `${details.where}: `;
    const remedy = details.remedy === undefined ? "" : ` (${details.remedy})`;
    super(`${place}${reason}${remedy}`, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.reason = reason;
    this.where = details.where;
    this.remedy = details.remedy;
  }
}

/** A setting, option or configuration field outside what is allowed. */
export class ConfigError extends NextStepError {
  override readonly name = "ConfigError";
  constructor(reason: string, details?: ErrorDetails) {
    super("config", reason, details);
  }
}

/** A weight file, archive or model folder that is not what it claims to be. Permanent: retrying cannot help. */
export class ModelFormatError extends NextStepError {
  override readonly name = "ModelFormatError";
  constructor(reason: string, details?: ErrorDetails) {
    super("model-format", reason, details);
  }
}

/** A picture, tar or caption file that is not what it claims to be. */
export class DataFormatError extends NextStepError {
  override readonly name = "DataFormatError";
  constructor(reason: string, details?: ErrorDetails) {
    super("data-format", reason, details);
  }
}

/** A request that cannot be met as stated: wrong number of images, empty batch, a size off the token grid. */
export class InputError extends NextStepError {
  override readonly name = "InputError";
  constructor(reason: string, details?: ErrorDetails) {
    super("input", reason, details);
  }
}

/** An operator was given values whose shapes or dtypes do not fit. Raised while a graph is built. */
export class ShapeError extends NextStepError {
  override readonly name = "ShapeError";
  constructor(reason: string, details?: ErrorDetails) {
    super("shape", reason, details);
  }
}

/** Valid, but not something this package does. */
export class UnsupportedError extends NextStepError {
  override readonly name = "UnsupportedError";
  constructor(reason: string, details?: ErrorDetails) {
    super("unsupported", reason, details);
  }
}

/** A file that could not be fetched: the network, the server, or what it sent. What arrived so far is kept. */
export class DownloadError extends NextStepError {
  override readonly name = "DownloadError";
  constructor(reason: string, details?: ErrorDetails) {
    super("download", reason, details);
  }
}

/** What a server keeps, a database, a folder or another server's files, cannot be read or written at the moment. */
export class StorageError extends NextStepError {
  override readonly name = "StorageError";
  constructor(reason: string, details?: ErrorDetails) {
    super("storage", reason, details);
  }
}

/** Work that would take more memory than there is, told before it is begun. */
export class InsufficientMemoryError extends NextStepError {
  override readonly name = "InsufficientMemoryError";
  /** Bytes, as is what is available. */
  readonly needed: number;
  readonly available: number;
  constructor(
    reason: string,
    { needed, available, ...details }: ErrorDetails & { readonly needed: number; readonly available: number },
  ) {
    super("memory", reason, details);
    this.needed = needed;
    this.available = available;
  }
}

/** Cancelled by the caller's AbortSignal. */
export class AbortedError extends NextStepError {
  override readonly name = "AbortedError";
  constructor(reason = "cancelled", details?: ErrorDetails) {
    super("aborted", reason, details);
  }
}

/** What a cancelled call throws: {@link AbortedError}, unless the signal gives an error of this package as its reason. */
export function abortError({ reason }: AbortSignal): NextStepError {
  return reason instanceof NextStepError ? reason : new AbortedError("cancelled", { cause: reason });
}

/** @throws AbortedError if the signal has fired, or the signal's reason if that is an error of this package. */
export function refuseAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw abortError(signal);
}

/** ONNX Runtime refused a graph or failed while running it. */
export class EngineError extends NextStepError {
  override readonly name = "EngineError";
  constructor(reason: string, details?: ErrorDetails) {
    super("engine", reason, details);
  }
}

/** Whatever befell as an error of this package. */
export function typedError(error: unknown): NextStepError {
  return error instanceof NextStepError ? error : new EngineError(String(error), { cause: error });
}
