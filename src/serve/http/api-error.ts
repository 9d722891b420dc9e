/** @file Errors as every route answers them: OpenAI's object, so that its clients show the words. */
import { z } from "zod";
import { type ErrorCode, NextStepError } from "../../errors.ts";
import { printable } from "../../formats/quoted.ts";
import type { JobFault } from "../contract/job.ts";
import { IdempotencyError, QueueFullError } from "../contract/serve-error.ts";

export const errorSchema = z
  .object({
    error: z.object({
      message: z.string(),
      type: z.string().meta({ examples: ["invalid_request_error"] }),
      param: z.string().nullable().meta({ description: "The parameter in which the fault lies." }),
      code: z.string().nullable(),
    }),
  })
  .meta({ id: "Error" });

export type ErrorBody = z.infer<typeof errorSchema>;

export interface ApiErrorDetails {
  readonly code?: string | null;
  readonly param?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

/** An answer with a status of 400 or above. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  readonly code: string | null;
  readonly param: string | null;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, details: ApiErrorDetails = {}) {
    const { code = null, param = null, headers = {}, cause } = details;
    super(message, cause === undefined ? undefined : { cause });
    this.status = status;
    this.code = code;
    this.param = param;
    this.headers = headers;
  }

  get body(): ErrorBody {
    const { message, status, code, param } = this;
    return { error: { message, type: errorType(status), param, code } };
  }
}

function errorType(status: number): string {
  if (status === 401) return "authentication_error";
  if (status === 403) return "permission_error";
  if (status === 429) return "rate_limit_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

export function invalidRequest(message: string, details?: ApiErrorDetails): ApiError {
  return new ApiError(400, message, details);
}

/** Also for what belongs to somebody else: whether it exists is not told. */
export function notFound(what: string, id: string): ApiError {
  return new ApiError(404, `No ${what} '${printable(id.slice(0, 64))}' was found.`, {
    code: `${what}_not_found`,
  });
}

/** @param cause for the log */
export function unavailable(message: string, code: string, retryAfter: number, cause?: unknown): ApiError {
  return new ApiError(503, message, { code, headers: { "retry-after": String(retryAfter) }, cause });
}

/** What of this package's errors are the request's own fault. */
const STATUS: Readonly<Record<ErrorCode, number>> = {
  config: 400,
  input: 400,
  shape: 400,
  unsupported: 400,
  "data-format": 400,
  // The request asks for more than this machine has, now and later.
  memory: 400,
  aborted: 503,
  storage: 503,
  download: 500,
  engine: 500,
  "model-format": 500,
};

/**
 * Whatever befell, as an answer. Of faults on this side nothing is told but that they happened: words, paths and stacks
 * are for the log.
 */
export function apiErrorOf(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof QueueFullError) {
    return new ApiError(429, `${sentence(error.reason)} Please try again in ${error.retryAfter} s.`, {
      code: "queue_full",
      headers: { "retry-after": String(error.retryAfter) },
      cause: error,
    });
  }
  if (error instanceof IdempotencyError) {
    return new ApiError(422, sentence(error.message), { code: "idempotency_key_reused", cause: error });
  }
  if (error instanceof NextStepError) {
    const status = STATUS[error.code];
    if (status < 500) {
      return new ApiError(status, sentence(error.message), { param: error.where ?? null, cause: error });
    }
    if (error.code === "aborted") {
      return unavailable("The server is stopping. Please try again.", "stopping", 5);
    }
    if (error.code === "storage") {
      return unavailable("The server's store does not answer, or is full.", "storage_unavailable", 30, error);
    }
  }
  return new ApiError(500, "The server had an error while processing your request.", {
    code: "internal_error",
    cause: error,
  });
}

/** A failed job's. */
export function faultError({ status, message, code, param }: JobFault): ApiError {
  return new ApiError(status, sentence(message), { code, param });
}

function sentence(text: string): string {
  const line = printable(text);
  return `${line.charAt(0).toUpperCase()}${line.slice(1)}${/[.!?)]$/.test(line) ? "" : "."}`;
}
