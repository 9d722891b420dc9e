/** @file What emoji are called: categories and slugs of one set, synonyms and keywords from others. */

import { z } from "zod";
import { ConfigError } from "../../../errors.ts";
import { charsSchema, locatePackage, metadataSchema, readPackageJson } from "./emoji-package.ts";

/** The set whose slugs are the identities of subjects. */
const NAMING_PACKAGE = "@iconify-json/noto";
/** Sets that call some of the same signs otherwise. */
const SYNONYM_PACKAGES = [
  "@iconify-json/fluent-emoji-flat",
  "@iconify-json/twemoji",
  "@iconify-json/emojione",
];
const KEYWORD_PACKAGE = "emojilib";

export interface EmojiNaming {
  /** Slugs of each category, in order. */
  readonly categories: Readonly<Record<string, readonly string[]>>;
  /** Code points in hex, joined by "-", without variation selectors. */
  codesOf(slug: string): readonly string[];
  /** Slugs that other sets have for the same signs. */
  otherSlugs(slug: string): readonly string[];
  /** Words that go with it: "fruit", "school". */
  keywords(slug: string): readonly string[];
}

/**
 * Reads names from the installed npm packages.
 * @throws ConfigError naming the `npm install` to run, DataFormatError when a file is not what it should be.
 */
export async function loadEmojiNaming(from: string = process.cwd()): Promise<EmojiNaming> {
  const packages = [NAMING_PACKAGE, ...SYNONYM_PACKAGES, KEYWORD_PACKAGE];
  const paths = new Map(packages.map((name) => [name, locatePackage(name, from)]));
  const missing = packages.filter((name) => paths.get(name) === undefined);
  if (missing.length > 0) {
    throw new ConfigError(`packages with names of emoji are not installed`, {
      where: "data emoji",
      remedy: `run: npm install ${missing.join(" ")}`,
    });
  }
  const pathOf = (name: string, file: string): string => paths.get(name)!(file);

  const { categories } = await readPackageJson(pathOf(NAMING_PACKAGE, "metadata.json"), metadataSchema);
  const codes = new Map<string, string[]>();
  const characters = await readPackageJson(pathOf(NAMING_PACKAGE, "chars.json"), charsSchema);
  for (const [code, slug] of Object.entries(characters)) append(codes, slug, code);
  const slugs = new Map<string, string[]>();
  for (const name of SYNONYM_PACKAGES) {
    const others = await readPackageJson(pathOf(name, "chars.json"), charsSchema);
    for (const [code, slug] of Object.entries(others)) append(slugs, code.replaceAll("-fe0f", ""), slug);
  }
  const keywordsSchema = z.record(z.string(), z.array(z.string()));
  const keywords = new Map<string, readonly string[]>();
  const listed = await readPackageJson(pathOf(KEYWORD_PACKAGE, "dist/emoji-en-US.json"), keywordsSchema);
  for (const [sign, words] of Object.entries(listed)) keywords.set(codeOf(sign), words);

  const codesOf = (slug: string): readonly string[] => codes.get(slug) ?? [];
  return {
    categories,
    codesOf,
    otherSlugs: (slug) => {
      const others = codesOf(slug).flatMap((code) => slugs.get(code) ?? []);
      return [...new Set(others)].filter((other) => other !== slug);
    },
    // The first is the official name again.
    keywords: (slug) => codesOf(slug).flatMap((code) => keywords.get(code)?.slice(1) ?? []),
  };
}

function append(lists: Map<string, string[]>, key: string, value: string): void {
  lists.set(key, [...(lists.get(key) ?? []), value]);
}

/** "1f34e" of a sign, several code points joined by "-", variation selectors left out. */
function codeOf(sign: string): string {
  return [...sign]
    .map((character) => character.codePointAt(0)!.toString(16))
    .filter((code) => code !== "fe0f")
    .join("-");
}
