/** @file The six emoji sets that the example data is drawn from: package, licence, style word, and how to load them. */

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { z } from "zod";
import { ConfigError, DataFormatError } from "../../../errors.ts";

/** The style words of captions, in the order of preference: the first is the style of a caption that names none. */
export const EMOJI_STYLES = ["noto", "twitter", "flat", "emojione", "blob", "glossy"] as const;
export type EmojiStyle = (typeof EMOJI_STYLES)[number];
export const DEFAULT_STYLE: EmojiStyle = "noto";

/** npm package of each style. Share-alike sets (openmoji, emojione-v1) are left out on purpose. */
export const EMOJI_PACKAGES: Readonly<Record<EmojiStyle, string>> = {
  noto: "@iconify-json/noto",
  twitter: "@iconify-json/twemoji",
  flat: "@iconify-json/fluent-emoji-flat",
  emojione: "@iconify-json/emojione",
  blob: "@iconify-json/noto-v1",
  glossy: "@iconify-json/fluent-emoji",
};

/** Licences under which a set's pictures may be used for training and shown again with credit. */
const ACCEPTED_LICENCES: ReadonlySet<string> = new Set(["Apache-2.0", "CC-BY-4.0", "MIT"]);

const iconSchema = z.object({
  body: z.string(),
  hidden: z.boolean().optional(),
  left: z.number().optional(),
  top: z.number().optional(),
  width: z.number().positive().optional(),
  height: z.number().positive().optional(),
});

const aliasSchema = z.object({
  parent: z.string(),
  hidden: z.boolean().optional(),
  hFlip: z.boolean().optional(),
  vFlip: z.boolean().optional(),
  rotate: z.number().optional(),
});

const iconsSchema = z.object({
  prefix: z.string(),
  width: z.number().positive().optional(),
  height: z.number().positive().optional(),
  icons: z.record(z.string(), iconSchema),
  aliases: z.record(z.string(), aliasSchema).optional(),
});

const infoSchema = z.object({
  name: z.string(),
  author: z.object({ name: z.string(), url: z.string().optional() }),
  license: z.object({ title: z.string(), spdx: z.string(), url: z.string().optional() }),
});

const packageSchema = z.object({ name: z.string(), version: z.string() });
const metadataSchema = z.object({ categories: z.record(z.string(), z.array(z.string())).optional() });

/** One icon, ready to be drawn: the SVG body and its view box. */
export interface EmojiIcon {
  /** The slug under which the set keeps it, which differs from the one asked for where that is an alias. */
  readonly slug: string;
  readonly body: string;
  /** left, top, width, height of the view box in SVG user units. */
  readonly viewBox: readonly [number, number, number, number];
}

/** Who made a set, under which licence, and from which package version it was read. */
export interface EmojiCredit {
  readonly style: EmojiStyle;
  readonly set: string;
  readonly author: string;
  readonly authorUrl: string;
  readonly licence: string;
  readonly licenceTitle: string;
  readonly licenceUrl: string;
  readonly package: string;
  readonly version: string;
}

/** A loaded set: icons by slug (aliases followed, hidden ones left out) and the slugs of each category. */
export interface EmojiSet {
  readonly style: EmojiStyle;
  readonly credit: EmojiCredit;
  readonly categories: Readonly<Record<string, readonly string[]>>;
  icon(slug: string): EmojiIcon | undefined;
}

/** Aliases point at aliases in places; more hops than this is a circle. */
const MAX_ALIAS_HOPS = 8;

/**
 * Loads the sets of `styles` from the installed npm packages.
 * @param from file or directory URL/path that package names are resolved from before this module's own place,
 *   so that packages installed beside the caller's project are found.
 * @throws ConfigError naming the `npm install` to run when a package is missing.
 * @throws DataFormatError when a package's files are not an icon set, or its licence is not an accepted one.
 */
export async function loadEmojiSets(
  styles: readonly EmojiStyle[] = EMOJI_STYLES,
  from: string = process.cwd(),
): Promise<EmojiSet[]> {
  const located = styles.map((style) => ({ style, path: locate(EMOJI_PACKAGES[style], from) }));
  const missing = located.filter((entry) => entry.path === undefined).map((entry) => entry.style);
  if (missing.length > 0) {
    const packages = missing.map((style) => EMOJI_PACKAGES[style]).join(" ");
    throw new ConfigError(`the icon sets for ${missing.join(", ")} are not installed`, {
      where: "data emoji",
      remedy: `run: npm install ${packages}`,
    });
  }
  const sets: EmojiSet[] = [];
  for (const { style, path } of located) if (path !== undefined) sets.push(await loadSet(style, path));
  return sets;
}

function locate(packageName: string, from: string): ((file: string) => string) | undefined {
  for (const base of [`${from}/package.json`, import.meta.url]) {
    const require = createRequire(base);
    try {
      require.resolve(`${packageName}/icons.json`);
      return (file) => require.resolve(`${packageName}/${file}`);
    } catch {
      // Not visible from here; the next place may see it.
    }
  }
  return undefined;
}

async function loadSet(style: EmojiStyle, path: (file: string) => string): Promise<EmojiSet> {
  const icons = await readJson(path("icons.json"), iconsSchema);
  const info = await readJson(path("info.json"), infoSchema);
  const metadata = await readJson(path("metadata.json"), metadataSchema);
  const manifest = await readJson(path("package.json"), packageSchema);
  if (!ACCEPTED_LICENCES.has(info.license.spdx)) {
    throw new DataFormatError(
      `licence ${info.license.spdx} is not one of ${[...ACCEPTED_LICENCES].join(", ")}`,
      {
        where: path("info.json"),
        remedy: "install the ^1.2 versions of the icon packages",
      },
    );
  }
  const defaultWidth = icons.width ?? 16;
  const defaultHeight = icons.height ?? 16;

  const find = (slug: string): EmojiIcon | undefined => {
    let name = slug;
    for (let hop = 0; hop <= MAX_ALIAS_HOPS; hop++) {
      const icon = Object.hasOwn(icons.icons, name) ? icons.icons[name] : undefined;
      if (icon !== undefined) {
        if (icon.hidden === true) return undefined;
        const width = icon.width ?? defaultWidth;
        const height = icon.height ?? defaultHeight;
        return { slug: name, body: icon.body, viewBox: [icon.left ?? 0, icon.top ?? 0, width, height] };
      }
      const alias =
        icons.aliases !== undefined && Object.hasOwn(icons.aliases, name) ? icons.aliases[name] : undefined;
      // A transformed alias is another picture than its parent: none of the subjects needs one.
      if (alias === undefined || alias.hidden === true || alias.hFlip || alias.vFlip || alias.rotate)
        return undefined;
      name = alias.parent;
    }
    return undefined;
  };

  return {
    style,
    credit: {
      style,
      set: info.name,
      author: info.author.name,
      authorUrl: info.author.url ?? "",
      licence: info.license.spdx,
      licenceTitle: info.license.title,
      licenceUrl: info.license.url ?? "",
      package: manifest.name,
      version: manifest.version,
    },
    categories: metadata.categories ?? {},
    icon: find,
  };
}

async function readJson<T>(path: string, schema: z.ZodType<T>): Promise<T> {
  try {
    return schema.parse(JSON.parse(await readFile(path, "utf8")));
  } catch (cause) {
    throw new DataFormatError("not a readable icon set file", {
      where: path,
      remedy: "reinstall the icon packages",
      cause,
    });
  }
}
