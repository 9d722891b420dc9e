/** @file Captions that the model writes: do they name the subject, and are they what the data calls the picture. */
import { isSameCaption, type SubjectNames } from "../caption-subject.ts";
import { shareOf } from "../estimate.ts";
import type { Heading, Row } from "./row.ts";

export interface Captioned {
  /** What was written. */
  readonly text: string;
  readonly subject: string;
  /** All that the data calls the picture. */
  readonly captions: readonly string[];
}

/** Of captions of real pictures of one subject. There is no floor: nothing is drawn. */
export function captionRows(heading: Heading, written: readonly Captioned[], names: SubjectNames): Row[] {
  const row = (measure: string, isRight: (each: Captioned) => boolean): Row => ({
    ...heading,
    measure,
    unit: "share",
    model: shareOf(written.filter(isRight).length, written.length),
    floor: null,
  });
  return [
    row("caption names the subject", ({ text, subject }) => {
      const found = names.in(text);
      return found.length === 1 && found[0] === subject;
    }),
    row("caption is one of the data's", ({ text, captions }) =>
      captions.some((caption) => isSameCaption(text, caption)),
    ),
  ];
}
