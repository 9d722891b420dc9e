/** @file The known subjects that are closest to a word: those that share it or its stem first, then those spelled alike. */
import { wordsOf } from "./trained-on.ts";

/** Shorter beginnings and parts are shared by chance. */
const SHARED_CHARACTERS = 4;
/** Part of the longer word that a shared beginning must make up. */
const SHARED_PART = 0.6;
/** What is left of a compound without one of its words. */
const OTHER_CHARACTERS = 3;
/** Misspellings are wrong in at most this part of their characters. */
const MOST_EDITS = 1 / 3;

/** Subjects by distance to `word`, at most `count`, none that are not close. Equal ones keep their order. */
export function closestSubjects(word: string, subjects: readonly string[], count: number): readonly string[] {
  const close: { readonly subject: string; readonly distance: number; readonly length: number }[] = [];
  for (const subject of subjects) {
    const words = wordsOf(subject);
    const distance = Math.min(...words.map((own) => wordDistance(word, own)));
    if (distance < Number.POSITIVE_INFINITY) close.push({ subject, distance, length: words.length });
  }
  close.sort((a, b) => a.distance - b.distance || a.length - b.length);
  return [...new Set(close.map(({ subject }) => subject))].slice(0, count);
}

/**
 * 0 for the same word, from 1 to 2 for a shared stem, from 3 to 4 for one that is spelled alike, infinite for others.
 * Closer kinds come first whatever their letters.
 */
export function wordDistance(a: string, b: string): number {
  if (a === b) return 0;
  const shared = sharedStem(a, b);
  const longer = Math.max(a.length, b.length);
  if (shared > 0) return 2 - shared / longer;
  const limit = Math.floor(longer * MOST_EDITS);
  const edits = editDistance(a, b, limit);
  return edits <= limit ? 3 + edits / longer : Number.POSITIVE_INFINITY;
}

/** Characters of a beginning that both words share (`apples`, `apple`), or of one that the other is made with (`sunflower`). */
function sharedStem(a: string, b: string): number {
  const [short, long] = a.length <= b.length ? [a, b] : [b, a];
  const compound = short.length >= SHARED_CHARACTERS && long.length - short.length >= OTHER_CHARACTERS;
  if (compound && (long.startsWith(short) || long.endsWith(short))) return short.length;
  let same = 0;
  while (same < short.length && short[same] === long[same]) same++;
  return same >= SHARED_CHARACTERS && same >= long.length * SHARED_PART ? same : 0;
}

/**
 * Characters to insert, take away, change, or swap with their neighbour (optimal string alignment); anything above
 * `limit` for words further apart than that.
 */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const next = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let least = Math.min(
        (last[column] as number) + 1,
        (next[column - 1] as number) + 1,
        (last[column - 1] as number) + (same ? 0 : 1),
      );
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped) least = Math.min(least, (before[column - 2] as number) + 1);
      next.push(least);
    }
    if (Math.min(...next) > limit) return limit + 1;
    [before, last] = [last, next];
  }
  return last[b.length] as number;
}
