/** @file Everything that a scene may be called, with weights. */

import { InputError } from "../../../errors.ts";
import type { WeightedCaption } from "../sample-json.ts";
import { countOf, kindsIn, type Scene, type SceneLayout, subjectsOf } from "./emoji-scenes.ts";
import { DEFAULT_STYLE } from "./emoji-styles.ts";
import type { EmojiWords } from "./emoji-subjects.ts";
import { numberWord, withArticle, withIndefiniteArticle } from "./english-noun.ts";

/** How often a caption mentions what it may leave out: a white background, the default style. */
const MENTION_SHARE = 0.15;

/** What is said of a single icon's size, before its name, or of its place, behind it. */
export const SIZE_WORDS: Readonly<Partial<Record<SceneLayout, readonly string[]>>> = {
  small: ["small", "tiny", "little"],
  large: ["big", "large", "huge"],
};
export const PLACE_WORDS: Readonly<Partial<Record<SceneLayout, readonly string[]>>> = {
  left: ["on the left", "on the left side"],
  right: ["on the right", "on the right side"],
  top: ["at the top", "in the upper half"],
  bottom: ["at the bottom", "in the lower half"],
};

/** "a small dog", "small grapes", "a small Santa Claus". */
export function sized(subject: EmojiWords, word: string): string {
  const kind = subject.kind === "name" ? "count" : subject.kind;
  return withArticle(`${word} ${subject.name}`, kind);
}

/** "the dog", "the grapes", "Santa Claus": the subject when it has been mentioned. */
export function definite(subject: EmojiWords): string {
  return subject.kind === "name" ? subject.name : `the ${subject.name}`;
}

/** Phrases for one icon in the middle. */
function singlePhrases(subject: EmojiWords): WeightedCaption[] {
  const { name, withArticle: phrase, synonyms } = subject;
  const captions: WeightedCaption[] = [
    { text: name, weight: phrase === name ? 6 : 3 },
    { text: `a picture of ${phrase}`, weight: 1 },
    { text: `an image of ${phrase}`, weight: 0.5 },
    { text: `a drawing of ${phrase}`, weight: 0.5 },
    { text: `${name} emoji`, weight: 0.5 },
    { text: `an emoji of ${phrase}`, weight: 0.5 },
    { text: `draw ${phrase}`, weight: 0.5 },
  ];
  if (phrase !== name) captions.unshift({ text: phrase, weight: 4 });
  for (const synonym of synonyms) {
    const other = withArticle(synonym, subject.kind);
    captions.push({ text: synonym, weight: 1 / synonyms.length });
    // A synonym of another grammar ("bacon" for "strip of bacon") would read badly with an article.
    if (subject.kind === "count" && !isUncountable(subject, synonym)) {
      captions.push({ text: other, weight: 1 / synonyms.length });
    }
  }
  return captions;
}

/** A synonym that is a part of a phrase with "of" names the matter, not the thing. */
function isUncountable({ name }: EmojiWords, synonym: string): boolean {
  return name.includes(` of ${synonym}`) || synonym.endsWith("s");
}

function countPhrases(subject: EmojiWords, count: number): WeightedCaption[] {
  if (subject.plural === undefined)
    throw new InputError(`${subject.name} cannot be counted`, { where: "scene" });
  const phrase = `${numberWord(count)} ${subject.plural}`;
  return [
    { text: phrase, weight: 4 },
    { text: `${count} ${subject.plural}`, weight: 1 },
    { text: `a picture of ${phrase}`, weight: 1 },
    { text: `a group of ${phrase}`, weight: 0.5 },
  ];
}

function pairPhrases(scene: Scene): WeightedCaption[] {
  const [a, b] = subjectsOf(scene).map((subject) => subject.withArticle);
  if (scene.layout === "beside") {
    return [
      { text: `${a} and ${b}`, weight: 2 },
      { text: `${a} next to ${b}`, weight: 1 },
      { text: `${a} to the left of ${b}`, weight: 2 },
      { text: `${b} to the right of ${a}`, weight: 2 },
      { text: `${a} on the left and ${b} on the right`, weight: 1 },
    ];
  }
  return [
    { text: `${a} above ${b}`, weight: 3 },
    { text: `${b} below ${a}`, weight: 3 },
    { text: `${a} over ${b}`, weight: 0.5 },
    { text: `${b} under ${a}`, weight: 0.5 },
    { text: `${a} at the top and ${b} at the bottom`, weight: 1 },
  ];
}

/** Phrases for three or four things, in the reading order of the picture. */
function groupPhrases(scene: Scene): WeightedCaption[] {
  const things = subjectsOf(scene).map((subject) => subject.withArticle);
  const [a, b, c, d] = things;
  const below = d === undefined ? c : `${c} and ${d}`;
  const corners = ["at the top left", "at the top right", "at the bottom left", "at the bottom right"];
  const places = d === undefined ? [...corners.slice(0, 2), "at the bottom"] : corners;
  return [
    { text: listed(things), weight: 4 },
    { text: `${a} and ${b} above ${below}`, weight: 2 },
    { text: listed(things.map((thing, index) => `${thing} ${places[index]}`)), weight: 1 },
  ];
}

/** "a, b and c". */
function listed(words: readonly string[]): string {
  return `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

/** Phrases for what is shown, without background and style. */
export function contentPhrases(scene: Scene): WeightedCaption[] {
  const { first, layout } = scene;
  const count = countOf(layout);
  if (count !== undefined) return countPhrases(first, count);
  if (kindsIn(layout) > 2) return groupPhrases(scene);
  if (scene.second !== undefined) return pairPhrases(scene);
  const sizes = SIZE_WORDS[layout];
  if (sizes !== undefined) return sizes.map((word) => ({ text: sized(first, word), weight: 1 }));
  const places = PLACE_WORDS[layout];
  if (places === undefined) return singlePhrases(first);
  return places.map((place) => ({ text: `${first.withArticle} ${place}`, weight: 1 }));
}

function endingsOf(scene: Scene): WeightedCaption[] {
  const colour = scene.background;
  const said: WeightedCaption[] = [
    { text: ` on ${withIndefiniteArticle(colour)} background`, weight: 0.6 },
    { text: ` with ${withIndefiniteArticle(colour)} background`, weight: 0.2 },
    { text: `, ${colour} background`, weight: 0.2 },
  ];
  if (colour !== "white") return said;
  const mentioned = said.map(({ text, weight }) => ({ text, weight: weight * MENTION_SHARE }));
  return [{ text: "", weight: 1 - MENTION_SHARE }, ...mentioned];
}

function stylesOf(scene: Scene): WeightedCaption[] {
  const said = { text: `, ${scene.style} style`, weight: 1 };
  if (scene.style !== DEFAULT_STYLE) return [said];
  return [
    { text: "", weight: 1 - MENTION_SHARE },
    { ...said, weight: MENTION_SHARE },
  ];
}

/**
 * Every caption of a scene, weights adding up to 1. Those without a style word exist for the default style alone:
 * otherwise one caption would mean a mixture of drawings.
 */
export function captionScene(scene: Scene): WeightedCaption[] {
  const phrases = contentPhrases(scene);
  const total = phrases.reduce((sum, phrase) => sum + phrase.weight, 0);
  const captions = new Map<string, number>();
  for (const phrase of phrases) {
    for (const ending of endingsOf(scene)) {
      for (const style of stylesOf(scene)) {
        const text = phrase.text + ending.text + style.text;
        const weight = (phrase.weight / total) * ending.weight * style.weight;
        // Half of the captions with capitals are in lower case, as people type them.
        const lower = text.toLowerCase();
        for (const form of [text, lower]) captions.set(form, (captions.get(form) ?? 0) + weight / 2);
      }
    }
  }
  return [...captions].map(([text, weight]) => ({ text, weight: Number(weight.toFixed(6)) }));
}
