/** @file From icon sets to drawable subjects: which icons are kept, what they are called, which styles show them. */

import { z } from "zod";
import { ConfigError } from "../../../errors.ts";
import leftOutJson from "./emoji-left-out.json" with { type: "json" };
import namesJson from "./emoji-names.json" with { type: "json" };
import type { EmojiNaming } from "./emoji-naming.ts";
import rankingJson from "./emoji-ranking.json" with { type: "json" };
import { DEFAULT_STYLE, type EmojiIcon, type EmojiSet, type EmojiStyle } from "./emoji-styles.ts";
import { NOUN_KINDS, type NounKind, pluralOf, withArticle } from "./english-noun.ts";

export const EMOJI_CATEGORIES = [
  "activities",
  "animals",
  "flags",
  "food",
  "objects",
  "people",
  "smileys",
  "symbols",
  "travel",
] as const;
export type EmojiCategory = (typeof EMOJI_CATEGORIES)[number];

/** What a subject is called. */
export interface EmojiWords {
  /** Bare noun phrase: `red apple`. */
  readonly name: string;
  readonly kind: NounKind;
  /** As it stands in a sentence: `a red apple`. */
  readonly withArticle: string;
  /** `red apples`, absent where it cannot be counted. */
  readonly plural: string | undefined;
  /** Other bare phrases for the same thing: `burger`. No two subjects share one. */
  readonly synonyms: readonly string[];
}

/** One thing that can be drawn, in every style that has it. */
export interface EmojiSubject extends EmojiWords {
  /** The icon slug, which is its identity: `red-apple`. */
  readonly id: string;
  /** Words that go with it, for texts: `fruit`. */
  readonly keywords: readonly string[];
  readonly category: EmojiCategory;
  readonly icons: ReadonlyMap<EmojiStyle, EmojiIcon>;
}

const CATEGORY_OF_LABEL: Readonly<Record<string, EmojiCategory>> = {
  Activities: "activities",
  "Animals & Nature": "animals",
  Flags: "flags",
  "Food & Drink": "food",
  Objects: "objects",
  "People & Body": "people",
  "Smileys & Emotion": "smileys",
  Symbols: "symbols",
  "Travel & Places": "travel",
};

/** Names where the slug with spaces is not what people say, or is not a plain countable noun. */
export const EMOJI_NAMES = z
  .record(
    z.string(),
    z.strictObject({
      name: z.string().optional(),
      kind: z.enum(NOUN_KINDS).optional(),
      also: z.array(z.string()).optional(),
    }),
  )
  .parse(namesJson);

/**
 * Icon slugs in the order in which a model with little training time should learn them: things that anybody can name
 * and that look unlike each other first. Every prefix is meant to be a sensible, mixed set.
 */
export const EMOJI_RANKING: readonly string[] = rankingJson;

/** Of many sets at least three must have a subject: one that a single artist drew teaches a style, not a thing. */
const MINIMUM_STYLES = 3;

/** Slugs under which another set keeps the same picture. */
const SLUGS_ELSEWHERE: Readonly<Record<string, string>> = {
  "black-bird": "blackbird",
  phoenix: "phoenix-bird",
  pinata: "piata",
  "smiling-face-with-open-hands": "hugging-face",
  "face-with-crossed-out-eyes": "knocked-out-face",
};

/** Skin tones, clock faces, buttons with letters in them: variants of a sign, not things. */
const VARIANT = /skin-tone|-(oclock|thirty)$|^japanese-.*-button$|-facing-right$/;

/** Gendered and family variants, hair variants: the neutral subject stays. */
const PERSON_VARIANT =
  /^(man|woman|men|women|family|couple|kiss)(-|$)|^(deaf|pregnant)-|^person(-(bald|beard|blond-hair|curly-hair|red-hair|white-hair)|$)/;

/** Mirror images and near copies of a subject that stays, and what is better not drawn. */
const LEFT_OUT: ReadonlySet<string> = new Set(leftOutJson.leftOut);

/** Of the symbols those whose shape can be named and drawn; the rest is lettering. */
const KEPT_SYMBOLS: ReadonlySet<string> = new Set(leftOutJson.keptSymbols);

function isKept(slug: string, category: EmojiCategory): boolean {
  if (VARIANT.test(slug) || LEFT_OUT.has(slug) || category === "flags") return false;
  if (category === "symbols") return KEPT_SYMBOLS.has(slug);
  return category !== "people" || !PERSON_VARIANT.test(slug);
}

/** The words for a slug, synonyms as far as they are listed by hand. */
export function describeSlug(slug: string): EmojiWords {
  const entry = Object.hasOwn(EMOJI_NAMES, slug) ? EMOJI_NAMES[slug] : undefined;
  const name = entry?.name ?? slug.replaceAll("-", " ");
  const kind: NounKind = entry?.kind ?? "count";
  return {
    name,
    kind,
    withArticle: withArticle(name, kind),
    plural: kind === "count" ? pluralOf(name) : undefined,
    synonyms: entry?.also ?? [],
  };
}

/**
 * Every subject that the sets have, in the slug order of the naming set's categories: in all sets of up to three, in
 * three of more.
 * @throws ConfigError when the default style is not among the sets or two subjects share a name.
 */
export function listSubjects(naming: EmojiNaming, sets: readonly EmojiSet[]): EmojiSubject[] {
  if (!sets.some((set) => set.style === DEFAULT_STYLE))
    throw new ConfigError(`the ${DEFAULT_STYLE} set is needed: captions without a style word mean it`, {
      where: "styles",
      remedy: `add ${DEFAULT_STYLE}`,
    });
  const minimum = Math.min(MINIMUM_STYLES, sets.length);
  const owners = new Set(Object.values(naming.categories).flat());
  const found: EmojiSubject[] = [];
  const slugOfName = new Map<string, string>();
  for (const [label, slugs] of Object.entries(naming.categories)) {
    const category = CATEGORY_OF_LABEL[label];
    if (category === undefined) continue;
    for (const id of slugs) {
      if (!isKept(id, category)) continue;
      const icons = findIcons(id, sets, owners);
      if (icons.size < minimum || !icons.has(DEFAULT_STYLE)) continue;
      const words = describeSlug(id);
      const other = slugOfName.get(words.name);
      if (other !== undefined) {
        throw new ConfigError(`${other} and ${id} are both called "${words.name}"`, { where: "emoji names" });
      }
      slugOfName.set(words.name, id);
      found.push({ id, ...words, keywords: naming.keywords(id), category, icons });
    }
  }
  return withOtherNames(found, naming);
}

/** Adds what other sets call the subjects, where that names one of them only. */
function withOtherNames(subjects: readonly EmojiSubject[], naming: EmojiNaming): EmojiSubject[] {
  const others = new Map(
    subjects.map(({ id, name, synonyms }) => {
      // Where another set keeps the picture under an odd slug, that is no name.
      const slugs = naming.otherSlugs(id).filter((slug) => slug !== SLUGS_ELSEWHERE[id]);
      const phrases = slugs.map((slug) => slug.replaceAll("-", " "));
      // "dog face" for "dog" is a reordering or a hint at the drawing, no other name.
      const known = [name, ...synonyms].map(wordsOf);
      return [id, phrases.filter((phrase) => /^[a-z ]+$/.test(phrase) && !known.includes(wordsOf(phrase)))];
    }),
  );
  const uses = new Map<string, number>();
  for (const subject of subjects) {
    const all = new Set([subject.name, ...subject.synonyms, ...others.get(subject.id)!]);
    for (const phrase of all) uses.set(phrase, (uses.get(phrase) ?? 0) + 1);
  }
  return subjects.map((subject) => {
    const more = others.get(subject.id)!.filter((phrase) => uses.get(phrase) === 1);
    return { ...subject, synonyms: [...new Set([...subject.synonyms, ...more])] };
  });
}

/** The words of a phrase in one order, whatever theirs is. */
function wordsOf(phrase: string): string {
  return phrase.toLowerCase().split(/[ -]/).sort().join(" ");
}

/**
 * A set that lets a slug stand for the icon of another subject (a game of cricket shown by the insect) has no picture
 * of its own for it.
 */
function findIcons(
  id: string,
  sets: readonly EmojiSet[],
  subjects: ReadonlySet<string>,
): Map<EmojiStyle, EmojiIcon> {
  const elsewhere = SLUGS_ELSEWHERE[id];
  const icons = new Map<EmojiStyle, EmojiIcon>();
  for (const set of sets) {
    const icon = set.icon(id) ?? (elsewhere === undefined ? undefined : set.icon(elsewhere));
    if (icon !== undefined && (icon.slug === id || !subjects.has(icon.slug))) icons.set(set.style, icon);
  }
  return icons;
}

/**
 * The first `count` subjects: the curated ranking of well known, distinct things first, then the others in order.
 * Without `count`, all of them in that order.
 * @throws ConfigError when more are asked for than there are.
 */
export function selectSubjects(subjects: readonly EmojiSubject[], count?: number): EmojiSubject[] {
  const byId = new Map(subjects.map((subject) => [subject.id, subject]));
  const ranked = EMOJI_RANKING.flatMap((id) => byId.get(id) ?? []);
  const inRanking = new Set(EMOJI_RANKING);
  const ordered = [...ranked, ...subjects.filter((subject) => !inRanking.has(subject.id))];
  if (count === undefined) return ordered;
  if (!Number.isInteger(count) || count < 1 || count > ordered.length) {
    throw new ConfigError(`${count} subjects were asked for`, {
      where: "subjects",
      remedy: `give a whole number from 1 to ${ordered.length}`,
    });
  }
  return ordered.slice(0, count);
}
