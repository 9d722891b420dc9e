/** @file Notes on pictures as lines for people. */
import { printable } from "../formats/quoted.ts";
import type { DrawingNote } from "../generate/drawing-notes.ts";

/**
 * Each note once, with the numbers of its pictures unless it is about all of them.
 * @param notes of each picture
 */
export function noteLines(notes: readonly (readonly DrawingNote[])[]): string[] {
  const pictures = new Map<string, number[]>();
  notes.forEach((own, picture) => {
    for (const { text } of own) pictures.set(text, [...(pictures.get(text) ?? []), picture + 1]);
  });
  return Array.from(pictures, ([text, about]) => {
    const which = about.length === notes.length ? "" : `picture ${about.join(", ")}: `;
    return `note: ${which}${printable(text)}`;
  });
}
