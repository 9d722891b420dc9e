/** @file `nextstep models` and `nextstep models rm`. */
import type { MemoryInspection } from "../checkpoint/inspection.ts";
import { InputError } from "../errors.ts";
import { printable } from "../formats/quoted.ts";
import { formatBytes } from "../hub/format-bytes.ts";
import { cacheFolder } from "../hub/hub-settings.ts";
import { removeCached } from "../hub/remove-cached.ts";
import { parseRepoName } from "../hub/repo-name.ts";
import { cachedCommit } from "../hub/resolve-model.ts";
import { type CachedModel, cachedModels } from "../node/cached-models.ts";
import type { Terminal } from "./terminal.ts";

/** Digits of a commit that people see. */
const SHOWN_DIGITS = 12;

/** Lists what is in the cache, what can be opened first. */
export async function runModels(json: boolean, { out, err, environment }: Terminal): Promise<void> {
  const cache = cacheFolder(environment);
  const models = await cachedModels(cache);
  models.sort((a, b) => Number(b.canOpen) - Number(a.canOpen));
  if (json) {
    out.write(`${JSON.stringify({ cache, models }, null, 2)}\n`);
    return;
  }
  if (models.length === 0) err.write(`no models in ${printable(cache)}; nextstep pull fetches one\n`);
  for (const model of models) out.write(`${printable(describe(model))}\n`);
}

function describe({ name, commit, bytes, kind, canOpen, why, memory }: CachedModel): string {
  const use = canOpen ? "can be opened" : `cannot be opened: ${why.join("; ")}`;
  return [
    name,
    commit === null ? "begun" : commit.slice(0, SHOWN_DIGITS),
    formatBytes(bytes),
    kind,
    canOpen && memory !== null ? `${use}, ${takes(memory)}` : use,
  ].join("  ");
}

function takes({ width, height, repacked, opening, drawing }: MemoryInspection): string {
  const text = `takes about ${formatBytes(drawing)} of memory for ${width} x ${height}`;
  return repacked && opening > drawing ? `${text}, and ${formatBytes(opening)} while it is opened` : text;
}

/** Removes a repository, or the revision that the name gives. */
export async function runRemove(text: string, { out, environment }: Terminal): Promise<void> {
  const cache = cacheFolder(environment);
  const name = parseRepoName(text);
  let commit: string | undefined;
  if (text.includes("@")) {
    commit = await cachedCommit(cache, name);
    if (commit === undefined) {
      throw new InputError("is not in the cache", { where: text, remedy: "`nextstep models` lists what is" });
    }
  }
  await removeCached(cache, name.repository, commit, ({ repository, commits, bytes }) => {
    const of =
      commits.length === 0 ? "" : ` (${commits.map((one) => one.slice(0, SHOWN_DIGITS)).join(", ")})`;
    out.write(`removing ${repository}${of} from ${printable(cache)}, ${formatBytes(bytes)}\n`);
  });
}
