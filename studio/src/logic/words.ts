/** @file What the model knows of what is typed: suggestions at the caret, and an honest word about the rest. */
import { closestSubjects } from "../../../src/generate/closest-subjects.ts";
import { notesOn } from "../../../src/generate/drawing-notes.ts";
import type { Capabilities, Note } from "../api/answers.ts";
import { gridOf, parseSize, type Size, shownSize } from "./grid.ts";

/** What stands in front of the caret and may become a subject: its last words, up to the word under the caret. */
export interface Stem {
  readonly start: number;
  readonly text: string;
}

const MOST_SUGGESTIONS = 6;
/** Words of a subject that may be spelled out before it is taken. */
const MOST_WORDS = 3;
const LEAST_CHARACTERS = 2;

/** Stems at the caret, the longest first; none inside a word, or behind one that has ended. */
export function stemsAt(text: string, caret: number): readonly Stem[] {
  if (/^[\p{L}\p{N}]/u.test(text.slice(caret))) return [];
  const before = text.slice(0, caret);
  const tail = /[\p{L}\p{N}]+(?: [\p{L}\p{N}]+)*$/u.exec(before);
  if (tail === null) return [];
  const stems: Stem[] = [];
  for (const { index } of tail[0].matchAll(/[\p{L}\p{N}]+/gu)) {
    stems.push({ start: tail.index + index, text: before.slice(tail.index + index).toLowerCase() });
  }
  return stems.slice(-MOST_WORDS);
}

export interface Suggestion {
  readonly subject: string;
  /** What taking it replaces, up to the caret. */
  readonly start: number;
}

/**
 * Subjects for what is being typed: such that begin with it, then such with a word that does, then spelled alike. None once it
 * is a subject's whole name: the list would lie over the button that draws it.
 */
export function suggest(text: string, caret: number, subjects: readonly string[]): readonly Suggestion[] {
  const found = new Map<string, number>();
  const stems = stemsAt(text, caret).filter(({ text: stem }) => stem.length >= LEAST_CHARACTERS);
  const typed = new Set(stems.map(({ text: stem }) => stem));
  if (subjects.some((subject) => typed.has(subject.toLowerCase()))) return [];
  for (const begins of [
    (subject: string, stem: string) => subject.toLowerCase().startsWith(stem),
    (subject: string, stem: string) => subject.toLowerCase().includes(` ${stem}`),
  ]) {
    for (const { start, text: stem } of stems) {
      for (const subject of subjects) {
        if (found.size === MOST_SUGGESTIONS) break;
        if (begins(subject, stem) && !found.has(subject)) found.set(subject, start);
      }
    }
  }
  const last = stems.at(-1);
  if (found.size === 0 && last !== undefined) {
    for (const subject of closestSubjects(last.text, subjects, MOST_SUGGESTIONS))
      found.set(subject, last.start);
  }
  return [...found].map(([subject, start]) => ({ subject, start }));
}

/** The text with a suggestion taken, and where the caret goes. */
export function accept(
  text: string,
  caret: number,
  { subject, start }: Suggestion,
): { readonly text: string; readonly caret: number } {
  return { text: text.slice(0, start) + subject + text.slice(caret), caret: start + subject.length };
}

type Known = Pick<Capabilities, "sizes" | "subjects" | "words" | "tokenSide" | "maxTokens">;

/** Whether a size has more cells than the server draws. */
export function isBeyond(
  size: Size,
  { tokenSide, maxTokens }: Pick<Capabilities, "tokenSide" | "maxTokens">,
): boolean {
  const { columns, rows } = gridOf(size, tokenSide);
  return columns * rows > maxTokens;
}

/** What becomes of such a size. */
export function stretchText(size: string): string {
  return `${size} is more than this server draws: it is drawn smaller and stretched`;
}

/** What a person should know before drawing, by the very rules that the server's notes follow. */
export function remarksOn(
  prompt: string,
  { width, height }: Size,
  { sizes, subjects, words, tokenSide, maxTokens }: Known,
): readonly Note[] {
  const notes: readonly Note[] = notesOn(prompt, [height, width], {
    sizes: sizes.map(parseSize).map((size) => [size.height, size.width]),
    subjects,
    words,
  });
  if (!isBeyond({ width, height }, { tokenSide, maxTokens })) return notes;
  const text = stretchText(shownSize({ width, height }));
  return notes.map((note) => (note.kind === "size" ? { ...note, text } : note));
}
