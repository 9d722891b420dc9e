/** @file `nextstep inspect PATH`. */
import { formatInspection } from "../checkpoint/format-inspection.ts";
import { inspectPath } from "../checkpoint/inspect.ts";
import { type Inspection, refuseUnusable } from "../checkpoint/inspection.ts";
import type { Problem, ProblemKind } from "../checkpoint/problem.ts";
import { NextStepError } from "../errors.ts";
import { NEXTSTEP_FILE, readDefaultSettings } from "../generate/default-settings.ts";
import { parseRecipe } from "../generate/recipe.ts";
import { inspectReaders } from "./inspect-readers.ts";
import type { Terminal } from "./terminal.ts";

/**
 * Prints what `path` holds.
 * @throws ModelFormatError behind the print when something would keep it from being used.
 */
export async function runInspect(path: string, json: boolean, terminal: Terminal): Promise<void> {
  const inspection = await checkUse(await inspectPath(path, inspectReaders));
  terminal.out.write(json ? `${plainJson(inspection)}\n` : `${formatInspection(inspection)}\n`);
  refuseUnusable(inspection);
}

/** Adds what drawing with a model, or drawing a picture again, would find wrong. */
async function checkUse(inspection: Inspection): Promise<Inspection> {
  if (inspection.kind === "model") {
    const { path, release, hasImageModules } = inspection;
    const found = await faultOf("settings", NEXTSTEP_FILE, () => readDefaultSettings(path, release));
    const problems = found.map((problem) => ({ ...problem, fatal: hasImageModules }));
    return { ...inspection, problems: [...inspection.problems, ...problems] };
  }
  if (inspection.kind === "picture" && inspection.recipe !== undefined) {
    const { recipe, path } = inspection;
    const found = await faultOf("recipe", "recipe", () => parseRecipe(JSON.stringify(recipe), path));
    return { ...inspection, problems: [...inspection.problems, ...found] };
  }
  return inspection;
}

async function faultOf(kind: ProblemKind, subject: string, read: () => unknown): Promise<readonly Problem[]> {
  try {
    await read();
    return [];
  } catch (error) {
    if (!(error instanceof NextStepError)) throw error;
    const { reason, remedy } = error;
    return [{ kind, subject, detail: reason, fatal: true, ...(remedy === undefined ? {} : { remedy }) }];
  }
}

/** JSON in which no name or text can steer the terminal. */
function plainJson(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(/[\p{Cf}\p{Zl}\p{Zp}\x7f-\x9f]/gu, (character) =>
    Array.from({ length: character.length }, (_, unit) => {
      return `\\u${character.charCodeAt(unit).toString(16).padStart(4, "0")}`;
    }).join(""),
  );
}
