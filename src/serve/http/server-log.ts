/** @file The server's log: a line an event, as JSON or for people. Prompts and keys never stand in it. */
import { printable } from "../../formats/quoted.ts";
import { apiErrorOf } from "./api-error.ts";
import type { RequestContext } from "./routes.ts";

export type LogLevel = "info" | "warning" | "error";
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

export interface ServerLog {
  write(level: LogLevel, event: string, fields?: LogFields): void;
}

export const LOG_FORMATS = ["json", "text"] as const;
export type LogFormat = (typeof LOG_FORMATS)[number];

export function serverLog(out: { write(text: string): unknown }, format: LogFormat): ServerLog {
  return {
    write(level, event, fields = {}) {
      const time = new Date().toISOString();
      out.write(
        `${format === "json" ? JSON.stringify({ time, level, event, ...fields }) : textLine(time, level, event, fields)}\n`,
      );
    },
  };
}

function textLine(time: string, level: LogLevel, event: string, fields: LogFields): string {
  const known = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null);
  const pairs = known.map(([name, value]) => ` ${name}=${pairValue(value)}`);
  return `${time} ${level === "info" ? "" : `${level} `}${event}${pairs.join("")}`;
}

function pairValue(value: LogFields[string]): string {
  const text = printable(String(value));
  return /[\s"=]/.test(text) ? JSON.stringify(text) : text;
}

/** Logs what made a request fail on this side, if it did; what a request is refused for is told to its client. */
export function logFault(error: unknown, context: RequestContext, log: ServerLog): void {
  const { status, cause } = apiErrorOf(error);
  // To whoever is gone nothing is answered, and their going is no failure.
  if (status < 500 || cause === undefined || context.req.raw.signal.aborted) return;
  log.write("error", "request failed", {
    request_id: context.get("requestId"),
    error: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause),
  });
}
