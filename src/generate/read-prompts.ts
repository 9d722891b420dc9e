/** @file Reads the prompts of slots that join a token loop: each once, and no part of one that is known. */
import type { CachedRows } from "./cached-rows.ts";
import type { ModelSessions } from "./model-sessions.ts";
import type { PromptStore } from "./prompt-store.ts";
import { pickRows } from "./seat.ts";
import { placesOf, type TokenRow } from "./token-feeds.ts";

/**
 * @param target without rows, becomes those of `rows`; rows that are one object are read once and copied.
 * @param options.store what is known already; is given what was read.
 * @returns the states behind the prompts, [rows, D]
 * @throws as CachedRows.append does
 */
export async function readPrompts(
  sessions: ModelSessions,
  target: CachedRows,
  rows: readonly TokenRow[],
  { store, signal }: { readonly store: PromptStore; readonly signal: AbortSignal },
): Promise<Float32Array> {
  const unique = [...new Set(rows)];
  if (unique.length === rows.length) return readOnce(sessions, target, rows, store, signal);
  await using once = await sessions.cachedRows(0, signal);
  const read = await readOnce(sessions, once, unique, store, signal);
  const places = new Map(unique.map((row, index) => [row, index]));
  const sources = rows.map((row) => places.get(row) as number);
  await target.adopt(once, sources);
  return pickRows(read, sources, sessions.folder.config.hiddenSize);
}

/** Rows that are all different. Returns [rows, D]. */
async function readOnce(
  { folder: { config }, onWork }: ModelSessions,
  target: CachedRows,
  rows: readonly TokenRow[],
  store: PromptStore,
  signal: AbortSignal,
): Promise<Float32Array> {
  const known = rows.map((row) => store.take(row));
  try {
    await target.reserve(rows.length, Math.max(...rows.map(placesOf)));
    for (const prompt of known) {
      if (prompt === undefined) target.add(1);
      else {
        await target.adopt(prompt.cached, [0]);
        target.truncate(target.lengths.length - 1, prompt.tokens);
      }
    }
  } finally {
    await Promise.all(known.map((prompt) => prompt?.release()));
  }
  const hidden = await target.append(
    rows.map((row, index) => behind(row, known[index]?.tokens ?? 0)),
    { signal },
  );
  const tokens = rows.reduce((sum, { ids }) => sum + ids.length, 0);
  onWork({ kind: "prompts", tokens, known: known.reduce((sum, prompt) => sum + (prompt?.tokens ?? 0), 0) });
  const width = config.hiddenSize;
  for (const [index, row] of rows.entries()) {
    const own = hidden.subarray(index * width, (index + 1) * width);
    const before = known[index]?.hidden;
    if (before !== undefined) own.set(before);
    // Nobody waits for it, and a failure costs a prompt that is read again.
    else store.keep(row, target, index, own).catch(() => {});
  }
  return hidden;
}

/** A prompt without its first tokens. */
function behind(row: TokenRow, tokens: number): TokenRow {
  if (tokens === 0) return row;
  const images = row.images?.map((image) => ({ ...image, start: image.start - tokens }));
  return { ...row, ids: row.ids.slice(tokens), ...(images === undefined ? {} : { images }) };
}
