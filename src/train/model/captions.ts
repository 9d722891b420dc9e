/** @file Captions from sample metadata: choice, clean-up, capitals, templates (docs/nextstep-spec.md 4.4). */

import { ConfigError } from "../../errors.ts";
import { chooseWeighted } from "./mixing.ts";

/** A key of the metadata, or a path of keys into nested objects. */
export type CaptionKey = string | readonly string[];

export interface CaptionSource {
  readonly keys: readonly CaptionKey[];
  /** Weight of each key; missing ones end the list of keys that are used, as published. */
  readonly ratios: readonly number[];
}

/** Lead-ins that captioning models like to begin with; deleted wherever they stand. */
const LEAD_INS: readonly string[] = [
  ...["depicts", "shows", "features", "is", "displays", "captures", "consists of"].map(
    (verb) => `The image ${verb} `,
  ),
  "In the image, ",
  "In this image, ",
  "这幅图像展示了",
  "这幅图片展示了",
  "这幅图像描绘了",
  "这张图片展示了",
  "这张图像展示了",
  "这张图片显示了",
  "这幅图像展示",
  "这幅图片展示",
  "这幅图像描绘",
  "这张图片展示",
  "这张图像展示",
  "这张图片显示",
  "图片中有",
  "这张图片是",
  "图片展示了",
  "图片中展示了",
  "图像展示了",
  "图像中展示了",
  "图片描绘了",
  "图片中描绘了",
  "图像描绘了",
  "图像中描绘了",
  "这是一张",
  "这张图片捕捉了",
  "这幅图像捕捉了",
  "这张图片包含",
  "在这张图片中，",
  "在图片中，",
  "图片中，",
];

const CAPITALIZE_PROBABILITY = 0.5;

/**
 * Draws a caption: a key by weight among those that hold text, a text among the alternatives that it holds (a list,
 * or the values of an object), without lead-ins if the key's name contains "_all", and capitalised half of the time.
 * Returns null when no key holds text. The caption may be empty.
 * @param random uniform in [0, 1)
 */
export function drawCaption(metadata: unknown, source: CaptionSource, random: () => number): string | null {
  const usable: { key: CaptionKey; texts: readonly string[]; ratio: number }[] = [];
  for (const [index, key] of source.keys.entries()) {
    const ratio = source.ratios[index];
    if (ratio === undefined) break;
    const texts = textsAt(metadata, key);
    if (texts.length > 0) usable.push({ key, texts, ratio });
  }
  if (usable.length === 0) return null;
  const index = chooseWeighted(
    usable.map((entry) => entry.ratio),
    random,
  );
  const chosen = usable[index];
  if (chosen === undefined) return null;
  const { key, texts } = chosen;
  const drawn = texts.length === 1 ? (texts[0] ?? "") : choose(texts, random);
  const caption = key.includes("_all") ? removeLeadIns(drawn) : drawn;
  return random() < CAPITALIZE_PROBABILITY ? capitalize(caption) : caption;
}

/** Every text that {@link drawCaption} may draw, before it is cleaned up and capitalised. */
export function possibleCaptions(metadata: unknown, { keys, ratios }: CaptionSource): string[] {
  return keys.slice(0, ratios.length).flatMap((key) => textsAt(metadata, key));
}

/** Texts under a key: the text itself, or those of a list or object. A path leads to one text only. */
function textsAt(metadata: unknown, key: CaptionKey): readonly string[] {
  const path = typeof key === "string" ? [key] : key;
  let value = metadata;
  for (const name of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return [];
    value = new Map(Object.entries(value)).get(name);
  }
  if (typeof value === "string") return [value];
  if (typeof key !== "string" || typeof value !== "object" || value === null) return [];
  return Object.values(value).filter((text) => typeof text === "string");
}

/** One of a list, all equally likely. */
export function choose<Item>(items: readonly Item[], random: () => number): Item {
  const item = items[Math.min(items.length - 1, Math.floor(random() * items.length))];
  if (item === undefined) throw new ConfigError("nothing to choose from");
  return item;
}

/** The caption without stock lead-ins such as "The image shows ", wherever they stand. */
export function removeLeadIns(caption: string): string {
  return LEAD_INS.reduce((text, leadIn) => text.replaceAll(leadIn, ""), caption);
}

/** Letters whose title case is one character, but not their capital. */
const TITLE_CASE: ReadonlyMap<string, string> = new Map([
  ...["Ǆǅǆ", "Ǉǈǉ", "Ǌǋǌ", "Ǳǲǳ"].flatMap((group) =>
    [...group].map((letter) => [letter, group.charAt(1)] as const),
  ),
  ["ŉ", "ʼN"],
]);

/** Georgian has capitals, but no title case. */
const GEORGIAN = /^[\u10D0-\u10FF]$/;

/** A Greek mark that becomes a letter in capitals, but stays a mark in title case. */
const IOTA_SUBSCRIPT = "\u0345";

/**
 * Python's capitalize: the first character in title case and **all others in lower case**, names and abbreviations
 * too. Published training lower-cases half of its captions this way.
 */
export function capitalize(text: string): string {
  const [first] = text;
  if (first === undefined) return "";
  // Lower case of the whole, since a final sigma depends on what stands before it.
  const rest = text.toLowerCase().slice(first.toLowerCase().length);
  return titleCase(first) + rest;
}

function titleCase(character: string): string {
  const own = TITLE_CASE.get(character);
  if (own !== undefined) return own;
  if (GEORGIAN.test(character)) return character;
  const parts = character.normalize("NFD");
  if (parts.length > 1 && parts.endsWith(IOTA_SUBSCRIPT)) {
    return (parts.slice(0, -1).toUpperCase() + IOTA_SUBSCRIPT).normalize("NFC");
  }
  // Ligatures and sharp s become several letters, of which one is a capital.
  const [head = "", ...tail] = character.toUpperCase();
  return head + tail.join("").toLowerCase();
}

/**
 * Fills a template: `{text}` is the caption, `{{` and `}}` are braces.
 * Throws ConfigError for any other use of braces.
 */
export function applyTemplate(template: string, caption: string): string {
  return template.replace(/\{\{|\}\}|\{text\}|[{}]/g, (part) => {
    if (part === "{text}") return caption;
    if (part.length === 2) return part.charAt(0);
    throw new ConfigError(`${JSON.stringify(template)} has braces other than {text}`, {
      where: "templates",
      remedy: "write {{ and }} for braces",
    });
  });
}
