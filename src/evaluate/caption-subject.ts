/** @file Which of the known subjects a caption names. */

/** What a subject is called. */
export interface NamedSubject {
  readonly id: string;
  /** Names, synonyms and plurals. */
  readonly names: readonly string[];
}

/** Words in lower case with one space between, marks left out, and at both ends. */
function asWords(text: string): string {
  return ` ${(text.toLowerCase().match(/[\p{L}\p{N}'-]+/gu) ?? []).join(" ")} `;
}

/** Finds the subjects that captions name. */
export class SubjectNames {
  readonly #names: readonly { readonly id: string; readonly words: string }[];

  constructor(subjects: readonly NamedSubject[]) {
    this.#names = subjects
      .flatMap(({ id, names }) => names.map((name) => ({ id, words: asWords(name) })))
      .sort((a, b) => b.words.length - a.words.length);
  }

  /** The ids, longer names first; a name within a longer one ("dog" in "hot dog") is not there. */
  in(caption: string): string[] {
    let rest = asWords(caption);
    const found: string[] = [];
    for (const { id, words } of this.#names) {
      if (!rest.includes(words)) continue;
      found.push(id);
      rest = rest.replaceAll(words, " | ");
    }
    return found;
  }
}

/** Whether two captions say the same, but for capitals and marks. */
export function isSameCaption(a: string, b: string): boolean {
  return asWords(a) === asWords(b);
}
