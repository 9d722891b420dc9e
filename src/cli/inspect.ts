/** @file `nextstep inspect PATH`. */
import { formatInspection } from "../checkpoint/format-inspection.ts";
import { inspectPath } from "../checkpoint/inspect.ts";
import { problemsOf } from "../checkpoint/inspection.ts";
import type { Terminal } from "./terminal.ts";

/** Prints what `path` holds. @returns the exit code: 1 when something would keep the model from being opened. */
export async function runInspect(path: string, json: boolean, terminal: Terminal): Promise<number> {
  const inspection = await inspectPath(path);
  terminal.out.write(json ? `${JSON.stringify(inspection, null, 2)}\n` : `${formatInspection(inspection)}\n`);
  return problemsOf(inspection).some(({ fatal }) => fatal) ? 1 : 0;
}
