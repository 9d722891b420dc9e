/** @file `nextstep inspect PATH`. */
import { formatInspection } from "../checkpoint/format-inspection.ts";
import { refuseUnusable } from "../checkpoint/inspection.ts";
import { resolveModel } from "../hub/resolve-model.ts";
import { inspectPath } from "../node/inspect-path.ts";
import type { Terminal } from "./terminal.ts";
import { TRAINING_CONFIGS } from "./training-configs.ts";

export interface InspectOptions {
  readonly json?: boolean;
  /** List the subjects of a model. */
  readonly subjects?: boolean;
}

/**
 * Prints what a path, or a repository in the cache, holds.
 * @throws ModelFormatError behind the print when something would keep it from being used.
 */
export async function runInspect(
  name: string,
  { json = false, subjects = false }: InspectOptions,
  terminal: Terminal,
): Promise<void> {
  const path = await resolveModel(name, terminal.environment);
  const inspection = await inspectPath(path, TRAINING_CONFIGS);
  terminal.out.write(json ? `${plainJson(inspection)}\n` : `${formatInspection(inspection, { subjects })}\n`);
  refuseUnusable(inspection);
}

/** JSON in which no name or text can steer the terminal. */
function plainJson(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(/[\p{Cf}\p{Zl}\p{Zp}\x7f-\x9f]/gu, (character) =>
    Array.from({ length: character.length }, (_, unit) => {
      return `\\u${character.charCodeAt(unit).toString(16).padStart(4, "0")}`;
    }).join(""),
  );
}
