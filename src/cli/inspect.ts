/** @file `nextstep inspect PATH`. */
import { formatInspection } from "../checkpoint/format-inspection.ts";
import { refuseUnusable } from "../checkpoint/inspection.ts";
import { inspectPath } from "../node/inspect-path.ts";
import type { Terminal } from "./terminal.ts";

/**
 * Prints what `path` holds.
 * @throws ModelFormatError behind the print when something would keep the model from being opened.
 */
export async function runInspect(path: string, json: boolean, terminal: Terminal): Promise<void> {
  const inspection = await inspectPath(path);
  terminal.out.write(json ? `${JSON.stringify(inspection, null, 2)}\n` : `${formatInspection(inspection)}\n`);
  refuseUnusable(inspection);
}
