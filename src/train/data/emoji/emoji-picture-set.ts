/** @file The set of modelled emoji: WebP pictures of 256 x 256 pixels with transparency, named by code point. */

import { readdir } from "node:fs/promises";
import { DataFormatError } from "../../../errors.ts";
import type { EmojiNaming } from "./emoji-naming.ts";
import { checkLicence, manifestSchema, readPackageJson } from "./emoji-package.ts";
import type { EmojiSet, EmojiStyle } from "./emoji-styles.ts";

const EXTENSION = ".webp";
/** A sign's variation selector, which some file names have and code tables leave out. */
const VARIATION_SELECTOR = /-fe0f/g;

/** @throws DataFormatError when the package holds no pictures or another licence. */
export async function loadPictureSet(
  style: EmojiStyle,
  path: (file: string) => string,
  naming: EmojiNaming,
): Promise<EmojiSet> {
  const manifest = await readPackageJson(path("package.json"), manifestSchema);
  checkLicence(manifest.license, path("package.json"));
  const names = await readdir(path("assets")).catch(() => []);
  const files = new Map<string, string>();
  for (const name of names.sort()) {
    if (!name.endsWith(EXTENSION)) continue;
    files.set(name.slice(0, -EXTENSION.length).replace(VARIATION_SELECTOR, ""), name);
  }
  if (files.size === 0) {
    throw new DataFormatError("holds no pictures", {
      where: path("assets"),
      remedy: "reinstall the icon packages",
    });
  }
  return {
    style,
    credit: {
      set: "Fluent Emoji 3D",
      author: "Microsoft Corporation and LobeHub",
      authorUrl: "https://github.com/microsoft/fluentui-emoji, https://github.com/lobehub/fluent-emoji",
      licence: manifest.license,
      licenceTitle: "MIT",
      licenceUrl: "https://github.com/microsoft/fluentui-emoji/blob/main/LICENSE",
      package: manifest.name,
      version: manifest.version,
    },
    icon(slug) {
      for (const code of naming.codesOf(slug)) {
        const name = files.get(code);
        if (name !== undefined) return { kind: "picture", slug, path: path(`assets/${name}`) };
      }
      return undefined;
    },
  };
}
