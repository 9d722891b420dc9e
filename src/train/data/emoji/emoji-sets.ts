/** @file How emoji sets are loaded from their packages. */

import { ConfigError } from "../../../errors.ts";
import type { EmojiNaming } from "./emoji-naming.ts";
import { iconsSchema, loadCredit, locatePackage, readPackageJson } from "./emoji-package.ts";
import { loadPictureSet } from "./emoji-picture-set.ts";
import {
  DATA_STYLES,
  EMOJI_PACKAGES,
  type EmojiIcon,
  type EmojiSet,
  type EmojiStyle,
} from "./emoji-styles.ts";

/** Aliases point at aliases in places; more hops than this is a circle. */
const MAX_ALIAS_HOPS = 8;

/**
 * Loads the sets of `styles` from the installed npm packages.
 * @param naming what slugs and code points belong together.
 * @param from folder that package names are resolved from before this module's own place, so that packages installed
 *   beside the caller's project are found.
 * @throws ConfigError naming the `npm install` to run when a package is missing.
 * @throws DataFormatError when a package's files are not an icon set, or its licence is not an accepted one.
 */
export async function loadEmojiSets(
  naming: EmojiNaming,
  styles: readonly EmojiStyle[] = DATA_STYLES,
  from: string = process.cwd(),
): Promise<EmojiSet[]> {
  const located = styles.map((style) => ({ style, path: locatePackage(EMOJI_PACKAGES[style], from) }));
  const missing = located.filter((entry) => entry.path === undefined).map((entry) => entry.style);
  if (missing.length > 0) {
    const packages = missing.map((style) => EMOJI_PACKAGES[style]).join(" ");
    throw new ConfigError(`the icon sets for ${missing.join(", ")} are not installed`, {
      where: "data emoji",
      remedy: `run: npm install ${packages}`,
    });
  }
  const sets: EmojiSet[] = [];
  for (const { style, path } of located) {
    if (path === undefined) continue;
    sets.push(style === "3D" ? await loadPictureSet(style, path, naming) : await loadIconSet(style, path));
  }
  return sets;
}

async function loadIconSet(style: EmojiStyle, path: (file: string) => string): Promise<EmojiSet> {
  const icons = await readPackageJson(path("icons.json"), iconsSchema);
  const credit = await loadCredit(path);
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
        const viewBox = [icon.left ?? 0, icon.top ?? 0, width, height] as const;
        return { kind: "svg", slug: name, body: icon.body, viewBox };
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
  return { style, credit, icon: find };
}
