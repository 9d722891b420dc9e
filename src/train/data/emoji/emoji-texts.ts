/** @file Text-only pieces about the subjects: names, what goes with them, counting, places. */

import type { CounterRng } from "../../../tensor/counter-rng.ts";
import { BACKGROUNDS } from "./emoji-scenes.ts";
import type { EmojiSubject } from "./emoji-subjects.ts";
import { numberWord, withArticle } from "./english-noun.ts";

/** Names of places and things in a keyword list that say something; marks, numbers and codes do not. */
const KEYWORD = /^[a-z][a-z ]{2,}$/;
const MAX_KEYWORDS = 5;

const capitalized = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** Every piece, in a random order. */
export function emojiTexts(subjects: readonly EmojiSubject[], rng: CounterRng): string[] {
  const texts: string[] = [];
  for (const subject of subjects) texts.push(...textsAbout(subject));
  for (let index = 0; index < subjects.length; index++) {
    const [a, b] = [subjects[rng.below(subjects.length)]!, subjects[rng.below(subjects.length)]!];
    if (a === b) continue;
    const [one, other] = [a.withArticle, b.withArticle];
    texts.push(
      `${capitalized(one)} to the left of ${other} is the same as ${other} to the right of ${one}.`,
      `${capitalized(one)} above ${other} is the same as ${other} below ${one}.`,
    );
  }
  const colours = Object.keys(BACKGROUNDS).join(", ");
  texts.push(`Colours of backgrounds are ${colours}.`);
  return rng.shuffle(texts);
}

function textsAbout(subject: EmojiSubject): string[] {
  const { name, withArticle: phrase, plural, synonyms, kind } = subject;
  const texts: string[] = [];
  const words = subject.keywords.filter((word) => KEYWORD.test(word) && word !== name);
  if (words.length > 0) {
    texts.push(`${capitalized(phrase)}: ${words.slice(0, MAX_KEYWORDS).join(", ")}.`);
  }
  for (const synonym of synonyms) {
    texts.push(`"${capitalized(withArticle(synonym, kind))}" is another name for ${phrase}.`);
  }
  if (plural !== undefined) {
    const counted = [2, 3, 4].map((count) => `${numberWord(count)} ${plural}`);
    texts.push(`${capitalized(phrase)}, ${counted.join(", ")}.`);
  }
  return texts;
}
