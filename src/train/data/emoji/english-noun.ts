/** @file English noun phrases for captions: indefinite article and plural of the head noun. */

/**
 * How a noun phrase behaves: "count" takes a/an and a plural, "plural" is one already (grapes), "mass" takes neither
 * (popcorn), "the" is one of its kind (the Statue of Liberty), "name" stands alone (Santa Claus).
 */
export const NOUN_KINDS = ["count", "plural", "mass", "the", "name"] as const;
export type NounKind = (typeof NOUN_KINDS)[number];

const VOWEL_SPELLED_CONSONANT = /^(uni[cfqtv]|use|util|uku|ewe|eu|one\b)/i;
const CONSONANT_SPELLED_VOWEL = /^(hour|x-ray|suv\b)/i;

/** "an owl", "a unicorn", "an hourglass": the phrase with its indefinite article. */
export function withIndefiniteArticle(phrase: string): string {
  const vowel = /^[aeiou]/i.test(phrase);
  const an = CONSONANT_SPELLED_VOWEL.test(phrase) || (vowel && !VOWEL_SPELLED_CONSONANT.test(phrase));
  return `${an ? "an" : "a"} ${phrase}`;
}

/** The phrase as it stands in a sentence: with a/an, with "the", or bare, by its kind. */
export function withArticle(phrase: string, kind: NounKind): string {
  if (kind === "count") return withIndefiniteArticle(phrase);
  return kind === "the" ? `the ${phrase}` : phrase;
}

const IRREGULAR_PLURALS: Readonly<Record<string, string>> = {
  man: "men",
  woman: "women",
  snowman: "snowmen",
  merman: "mermen",
  person: "people",
  child: "children",
  mouse: "mice",
  goose: "geese",
  tooth: "teeth",
  foot: "feet",
  ox: "oxen",
  wolf: "wolves",
  leaf: "leaves",
  knife: "knives",
  loaf: "loaves",
  sheaf: "sheaves",
  scarf: "scarves",
  elf: "elves",
  cactus: "cacti",
  fish: "fish",
  pufferfish: "pufferfish",
  jellyfish: "jellyfish",
  deer: "deer",
  moose: "moose",
  bison: "bison",
  squid: "squid",
  shrimp: "shrimp",
  sheep: "sheep",
  salmon: "salmon",
  buffalo: "buffalo",
  aircraft: "aircraft",
  dice: "dice",
  die: "dice",
  potato: "potatoes",
  tomato: "tomatoes",
  mango: "mangoes",
  volcano: "volcanoes",
  mosquito: "mosquitoes",
  tornado: "tornadoes",
  echo: "echoes",
  hero: "heroes",
  superhero: "superheroes",
};

/** Words that end the head of a noun phrase: in "glass of milk" the head is "glass". */
const HEAD_ENDS = new Set(
  (
    "with without of on in at to behind over between for facing showing holding doing taking wearing pointing " +
    "reaching pushing blowing savoring screaming rolling covering bouncing feeding gesturing getting lifting raising " +
    "rowing tipping shaking spouting"
  ).split(" "),
);

function headIndex(words: readonly string[]): number {
  const end = words.findIndex((word, index) => index > 0 && HEAD_ENDS.has(word));
  return (end === -1 ? words.length : end) - 1;
}

function pluralOfWord(word: string): string {
  const lower = word.toLowerCase();
  const irregular = Object.hasOwn(IRREGULAR_PLURALS, lower) ? IRREGULAR_PLURALS[lower] : undefined;
  if (irregular !== undefined) return irregular;
  if (/(s|x|z|ch|sh)$/.test(lower)) return `${word}es`;
  if (/[^aeiou]y$/.test(lower)) return `${word.slice(0, -1)}ies`;
  return `${word}s`;
}

/**
 * "red apples", "glasses of milk", "wolves": the phrase with its head noun in the plural.
 * Undefined for a head of two nouns, "bat and ball", which English does not count.
 */
export function pluralOf(phrase: string): string | undefined {
  const words = phrase.split(" ");
  const head = headIndex(words);
  if (words.indexOf("and") !== -1 && words.indexOf("and") < head) return undefined;
  return words.map((word, index) => (index === head ? pluralOfWord(word) : word)).join(" ");
}

const NUMBER_WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];

/** The word of a whole number from 0 to 10; digits above. */
export function numberWord(count: number): string {
  return NUMBER_WORDS[count] ?? String(count);
}
