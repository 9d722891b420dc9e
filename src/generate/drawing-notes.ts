/** @file What a person should know about a request before looking at its picture. */
import { printable } from "../formats/quoted.ts";
import type { ImageSize } from "../image/pixels.ts";
import { closestSubjects } from "./closest-subjects.ts";
import { type TrainedOn, wordsOf } from "./trained-on.ts";

/**
 * `size`, `words`: the model was not trained for them. `model`, `threads`: a picture is drawn again with others than it was
 * drawn with. `thought`: what became of thinking.
 */
export interface DrawingNote {
  readonly kind: "size" | "words" | "model" | "threads" | "thought";
  /** One line for people. */
  readonly text: string;
  /** Words that the model does not know. */
  readonly words?: readonly string[];
  /** Words and subjects that it knows and that are closest to those. */
  readonly closest?: readonly string[];
}

/** Beyond it, a text is not meant for this model at all. */
const SHOWN_WORDS = 8;
const SHOWN_SIZES = 8;
const SHOWN_CLOSEST = 3;
/** Longer words are no words; comparing them takes time. */
const MAX_WORD_CHARACTERS = 40;

/** Notes on a picture of a prompt in that size, by what is known of the model's training; none where nothing is. */
export function notesOn(prompt: string, size: ImageSize, trained: TrainedOn): readonly DrawingNote[] {
  return [...sizeNotes(size, trained), ...wordNotes(prompt, trained)];
}

function sizeNotes(size: ImageSize, { sizes }: TrainedOn): readonly DrawingNote[] {
  if (sizes === undefined || sizes.length === 0) return [];
  if (sizes.some(([height, width]) => height === size[0] && width === size[1])) return [];
  const nearest = [...sizes].sort((a, b) => sizeDistance(a, size) - sizeDistance(b, size));
  const shown = nearest.slice(0, SHOWN_SIZES).map(sizeText);
  const more = sizes.length > shown.length ? ` and ${sizes.length - shown.length} more` : "";
  const text = `the model was not trained for ${sizeText(size)}; it knows ${shown.join(", ")}${more}`;
  return [{ kind: "size", text }];
}

function wordNotes(prompt: string, { words, subjects = [] }: TrainedOn): readonly DrawingNote[] {
  if (words === undefined || words.length === 0) return [];
  const known = new Set(words);
  const unknown = [...new Set(wordsOf(prompt))].filter((word) => !known.has(word));
  if (unknown.length === 0) return [];
  const asked = unknown.slice(0, SHOWN_WORDS);
  const closest = [
    ...new Set(asked.flatMap((word) => closestTo(word.slice(0, MAX_WORD_CHARACTERS), words, subjects))),
  ];
  const names = (list: readonly string[]): string => list.map((name) => `"${printable(name)}"`).join(", ");
  const more = unknown.length > asked.length ? ` and ${unknown.length - asked.length} more` : "";
  const near = closest.length === 0 ? "" : `; the closest that it knows: ${names(closest)}`;
  const shown = names(asked.map((word) => word.slice(0, MAX_WORD_CHARACTERS)));
  return [
    {
      kind: "words",
      text: `the model's captions did not hold ${shown}${more}${near}`,
      words: unknown,
      closest,
    },
  ];
}

/** Captions hold the words of subjects, so that no subject is closer than the closest word: "blue" before "blue heart". */
function closestTo(word: string, words: readonly string[], subjects: readonly string[]): readonly string[] {
  const near = closestSubjects(word, subjects, SHOWN_CLOSEST);
  const plain = closestSubjects(word, words, near.length === 0 ? SHOWN_CLOSEST : 1);
  return [...new Set([...plain, ...near])].slice(0, SHOWN_CLOSEST);
}

/** Differences in shape and in number of pixels, on a scale on which doubling either counts alike. */
function sizeDistance([height, width]: ImageSize, [wantedHeight, wantedWidth]: ImageSize): number {
  const shape = Math.log2((height * wantedWidth) / (width * wantedHeight));
  const pixels = Math.log2((height * width) / (wantedHeight * wantedWidth));
  return Math.hypot(shape, pixels);
}

/** Width first, as people write sizes. */
function sizeText([height, width]: ImageSize): string {
  return `${width} x ${height}`;
}
