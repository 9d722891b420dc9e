/** @file What a text may be to be tokenised: bounds within which time grows with its length and nothing overflows. */

import { InputError } from "../errors.ts";

/** UTF-16 units. The longest sequence of a model, 32,768 tokens, written as image placeholders takes 700,000. */
export const MAX_TEXT_CHARACTERS = 1 << 20;
/**
 * Combining marks in a row. Normal form C sorts them, which takes the square of their number: a million would take
 * hours. Unicode's own stream-safe form (UAX #15) allows 30.
 */
export const MAX_COMBINING_MARKS = 1024;

/** Throws InputError, with the numbers, for a text that is longer or holds a longer run of combining marks. */
export function checkText(text: string): void {
  if (text.length > MAX_TEXT_CHARACTERS) {
    throw new InputError(`has ${text.length} characters, more than ${MAX_TEXT_CHARACTERS}`, {
      where: "text",
      remedy: "shorten it",
    });
  }
  for (const { 0: marks } of text.matchAll(/\p{M}+/gu)) {
    if (marks.length <= MAX_COMBINING_MARKS) continue;
    throw new InputError(`has ${marks.length} combining marks in a row, more than ${MAX_COMBINING_MARKS}`, {
      where: "text",
      remedy: "leave them out",
    });
  }
}
