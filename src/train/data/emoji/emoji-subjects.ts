/** @file From icon sets to drawable subjects: which icons are kept, what they are called, which styles show them. */

import { ConfigError } from "../../../errors.ts";
import { EMOJI_NAMES } from "./emoji-names.ts";
import { DEFAULT_STYLE, type EmojiIcon, type EmojiSet, type EmojiStyle } from "./emoji-sets.ts";
import { EMOJI_RANKING } from "./emoji-subject-ranking.ts";
import { type NounKind, pluralOf, withArticle } from "./english-noun.ts";

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

/** One thing that can be drawn, in every style that has it. */
export interface EmojiSubject {
  /** The icon slug, which is its identity: `red-apple`. */
  readonly id: string;
  /** Bare noun phrase: `red apple`. */
  readonly name: string;
  /** As it stands in a sentence: `a red apple`. */
  readonly withArticle: string;
  /** `red apples`, absent where it cannot be counted. */
  readonly plural: string | undefined;
  /** Another bare phrase for the same thing: `burger`. */
  readonly synonym: string | undefined;
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

/** A subject that only one or two artists drew teaches a style rather than a thing. */
const MINIMUM_STYLES = 3;

/** Slugs under which another set keeps the same picture. */
const SLUGS_ELSEWHERE: Readonly<Record<string, string>> = {
  "black-bird": "blackbird",
  phoenix: "phoenix-bird",
  pinata: "piata",
  "smiling-face-with-open-hands": "hugging-face",
  "face-with-crossed-out-eyes": "knocked-out-face",
};

/** Skin tones, country flags, clock faces, buttons with letters in them: variants of a sign, not things. */
const VARIANT = /skin-tone|^flag-for-|-(oclock|thirty)$|^japanese-.*-button$|-facing-right$/;

/** Gendered and family variants, hair variants: the neutral subject stays. */
const PERSON_VARIANT =
  /^(man|woman|men|women|family|couple|kiss)(-|$)|^(deaf|pregnant)-|^person(-(bald|beard|blond-hair|curly-hair|red-hair|white-hair)|$)/;

const LEFT_OUT: ReadonlySet<string> = new Set([
  "middle-finger",
  "breast-feeding",
  "merman",
  "mermaid",
  "mx-claus",
  "people-holding-hands",
  "woman-and-man-holding-hands",
  "older-person",
  "child",
  "unknown-flag",
  "transgender-flag",
  // Mirror images and near copies of a subject that stays.
  "magnifying-glass-tilted-right",
  "japanese-post-office",
  "love-hotel",
  "shibuya-109-department-store",
  "tram-car",
  "left-speech-bubble",
  "snowman-without-snow",
]);

/** Of 251 symbols those whose shape can be named and drawn; the rest is lettering. */
const KEPT_SYMBOLS: ReadonlySet<string> = new Set(
  `red-circle orange-circle yellow-circle green-circle blue-circle purple-circle brown-circle black-circle white-circle
  red-square orange-square yellow-square green-square blue-square purple-square brown-square black-large-square
  white-large-square large-orange-diamond large-blue-diamond red-triangle-pointed-up red-triangle-pointed-down
  hollow-red-circle check-mark check-mark-button cross-mark cross-mark-button plus minus multiply divide infinity
  red-question-mark red-exclamation-mark warning no-entry prohibited no-smoking radioactive biohazard
  recycling-symbol right-arrow left-arrow up-arrow down-arrow peace-symbol yin-yang star-of-david latin-cross
  star-and-crescent wheelchair-symbol fleur-de-lis eight-pointed-star heavy-dollar-sign`.split(/\s+/),
);

function isKept(slug: string, category: EmojiCategory): boolean {
  if (VARIANT.test(slug) || LEFT_OUT.has(slug)) return false;
  if (category === "symbols") return KEPT_SYMBOLS.has(slug);
  return category !== "people" || !PERSON_VARIANT.test(slug);
}

/** The words for a slug: bare, with article, in the plural where it can be counted, and a synonym. */
export function describeSlug(
  slug: string,
): Pick<EmojiSubject, "name" | "withArticle" | "plural" | "synonym"> {
  const entry = Object.hasOwn(EMOJI_NAMES, slug) ? EMOJI_NAMES[slug] : undefined;
  const name = entry?.name ?? slug.replaceAll("-", " ");
  const kind: NounKind = entry?.kind ?? "count";
  return {
    name,
    withArticle: withArticle(name, kind),
    plural: kind === "count" ? pluralOf(name) : undefined,
    synonym: entry?.also,
  };
}

/**
 * Every subject that at least three of the sets have, in the slug order of the default set's categories.
 * @param sets loaded sets; the one of the default style names the categories.
 * @throws ConfigError when the default style is not among the sets or two subjects share a name.
 */
export function listSubjects(sets: readonly EmojiSet[]): EmojiSubject[] {
  const base = sets.find((set) => set.style === DEFAULT_STYLE);
  if (base === undefined) throw new ConfigError(`the ${DEFAULT_STYLE} set is needed to name subjects`);
  const minimum = Math.min(MINIMUM_STYLES, sets.length);
  const owners = new Set(Object.values(base.categories).flat());
  const subjects: EmojiSubject[] = [];
  const slugOfName = new Map<string, string>();
  for (const [label, slugs] of Object.entries(base.categories)) {
    const category = CATEGORY_OF_LABEL[label];
    if (category === undefined) continue;
    for (const id of slugs) {
      if (!isKept(id, category)) continue;
      const icons = findIcons(id, sets, owners);
      if (icons.size < minimum) continue;
      const words = describeSlug(id);
      const other = slugOfName.get(words.name);
      if (other !== undefined) {
        throw new ConfigError(`${other} and ${id} are both called "${words.name}"`, { where: "emoji names" });
      }
      slugOfName.set(words.name, id);
      subjects.push({ id, ...words, category, icons });
    }
  }
  return subjects;
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
