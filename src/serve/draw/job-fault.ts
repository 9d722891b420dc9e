/** @file Why a job failed, as the answer says it. */
import { type ErrorCode, NextStepError } from "../../errors.ts";
import type { JobFault } from "../contract/job.ts";

/** Codes of errors that the request is the cause of, and not the server. */
const OF_REQUESTS: Readonly<Partial<Record<ErrorCode, string>>> = {
  input: "invalid_value",
  config: "invalid_value",
  "data-format": "invalid_image",
  unsupported: "unsupported_value",
  memory: "insufficient_memory",
};

const UNTOLD: JobFault = {
  status: 500,
  message: "The server had an error while drawing.",
  code: "server_error",
  param: null,
};

/**
 * Errors of requests name the field, and what to do. Of the server's own faults the reason is told; what is no error of this
 * package is for the log alone.
 */
export function jobFault(error: unknown): JobFault {
  if (!(error instanceof NextStepError)) return UNTOLD;
  const code = OF_REQUESTS[error.code];
  if (code === undefined) return { ...UNTOLD, message: `${UNTOLD.message} ${error.reason}.` };
  return { status: 400, message: error.message, code, param: error.where ?? null };
}
