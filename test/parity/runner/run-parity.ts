/** @file Runs every case of a folder laid out like test/parity, by kind alone. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { InputError } from "../../../src/errors.ts";
import { CaseCheck, type CaseResult } from "./case-check.ts";
import { openParityCase, type ParityCase } from "./parity-case.ts";
import { ParityContext } from "./parity-context.ts";

/** Computes what a case of one kind expects and enters the comparisons. */
export type KindRunner = (test: ParityCase, check: CaseCheck, context: ParityContext) => Promise<void>;

/**
 * Results in the order of the case files' names, each as soon as it is there. A case that throws, has an unknown kind
 * or leaves a tensor uncompared is not ok; the others go on.
 * @throws InputError when the folder holds no cases.
 */
export async function* runParity(
  folder: string,
  runners: ReadonlyMap<string, KindRunner>,
): AsyncGenerator<CaseResult> {
  const cases = join(folder, "cases");
  const names = (await readdir(cases).catch(() => [])).filter((name) => name.endsWith(".json")).sort();
  if (names.length === 0) {
    throw new InputError("holds no cases", {
      where: folder,
      remedy: "name a folder with cases/ and models/",
    });
  }
  await using context = new ParityContext(folder);
  for (const name of names) yield await runCase(join(cases, name), runners, context);
}

async function runCase(
  path: string,
  runners: ReadonlyMap<string, KindRunner>,
  context: ParityContext,
): Promise<CaseResult> {
  let test: ParityCase;
  try {
    test = await openParityCase(path);
  } catch (error) {
    const name = path.replace(/^.*[\\/]|\.json$/g, "");
    return { name, kind: "unknown", ok: false, ratio: 0, groups: [], problems: [messageOf(error)] };
  }
  await using open = test;
  const check = new CaseCheck(open);
  const runner = runners.get(open.kind);
  try {
    if (runner === undefined) check.problem(`unknown kind "${open.kind}"`);
    else await runner(open, check, context);
  } catch (error) {
    check.problem(messageOf(error));
  }
  return check.result();
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** One line: verdict, name, the worst error of each tensor against its tolerance, and what else went wrong. */
export function formatResult({ name, ok, groups, problems }: CaseResult): string {
  const parts = groups.map(({ group, ratio, text }) => `${ratio <= 1 ? "" : "NOT "}${group} ${text}`);
  // Equal things need no figures of their own.
  const figures = parts.filter((part) => !part.endsWith(" equal"));
  const equal = parts.length - figures.length;
  if (equal > 0) figures.push(`${equal} equal`);
  return [ok ? "ok    " : "not ok", name, [...figures, ...problems].join("; ")].join("  ");
}
