/** @file The server's log: a line an event, as JSON or for people. Prompts and keys never stand in it. */
import { printable } from "../../formats/quoted.ts";

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
