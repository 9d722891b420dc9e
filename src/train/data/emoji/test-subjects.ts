/** @file Made-up subjects for tests: squares of one colour. */
import type { EmojiStyle } from "./emoji-styles.ts";
import type { EmojiSubject } from "./emoji-subjects.ts";

/** A thing drawn as a square that fills its icon, in the given styles. */
export function square(id: string, colour: string, words: Partial<EmojiSubject> = {}): EmojiSubject {
  const body = `<rect width="10" height="10" fill="${colour}"/>`;
  const styles: EmojiStyle[] = ["3D", "flat"];
  const icon = { kind: "svg", slug: id, body, viewBox: [0, 0, 10, 10] } as const;
  return {
    id,
    name: id,
    kind: "count",
    withArticle: `a ${id}`,
    plural: `${id}s`,
    synonyms: [],
    keywords: [],
    category: "objects",
    icons: new Map(styles.map((style) => [style, icon])),
    ...words,
  };
}
