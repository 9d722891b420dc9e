/** @file The settings that a run ran with, from which step on: `configs/from-step-0000000.json` and so on. */
import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { replaceText } from "../../files/replacement-file.ts";
import type { JsonValue } from "../plain-json.ts";

const COPY_NAME = /^from-step-(\d{7,12})\.json$/;

/**
 * Writes the settings of a run that begins or goes on at `step`, unless the newest copy has them already. Copies of
 * later steps, which are taken again, are removed. A copy is a config like the one that the run was started with.
 */
export async function copyConfig(folder: string, step: number, config: JsonValue): Promise<void> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => COPY_NAME.test(name)).sort();
  const isLater = (name: string): boolean => Number(COPY_NAME.exec(name)![1]) > step;
  for (const name of names.filter(isLater)) await rm(join(folder, name));
  const text = `${JSON.stringify(config, undefined, 2)}\n`;
  const newest = names.filter((name) => !isLater(name)).at(-1);
  if (newest !== undefined && (await readFile(join(folder, newest), "utf8")) === text) return;
  const path = join(folder, `from-step-${String(step).padStart(7, "0")}.json`);
  await replaceText(path, text);
}
