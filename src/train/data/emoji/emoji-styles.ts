/** @file The styles that emoji are drawn in, and what a set of one style offers. */

import type { EmojiCredit } from "./emoji-package.ts";

/** The style words of captions. The first is the style of a caption that names none. */
export const EMOJI_STYLES = ["3D", "flat", "noto", "twitter", "emojione", "blob", "glossy"] as const;
export type EmojiStyle = (typeof EMOJI_STYLES)[number];
export const DEFAULT_STYLE: EmojiStyle = "3D";
/** What data is drawn in unless told otherwise: the same subjects, modelled and flat, by the same artists. */
export const DATA_STYLES: readonly EmojiStyle[] = ["3D", "flat"];

/** npm package of each style. Share-alike sets (openmoji, emojione-v1) are left out on purpose. */
export const EMOJI_PACKAGES: Readonly<Record<EmojiStyle, string>> = {
  "3D": "@lobehub/fluent-emoji-3d",
  flat: "@iconify-json/fluent-emoji-flat",
  noto: "@iconify-json/noto",
  twitter: "@iconify-json/twemoji",
  emojione: "@iconify-json/emojione",
  blob: "@iconify-json/noto-v1",
  glossy: "@iconify-json/fluent-emoji",
};

/** One icon, ready to be drawn. */
export type EmojiIcon = {
  /** The slug under which the set keeps it, which differs from the one asked for where that is an alias. */
  readonly slug: string;
} & (
  | {
      readonly kind: "svg";
      readonly body: string;
      /** left, top, width, height of the view box in SVG user units. */
      readonly viewBox: readonly [number, number, number, number];
    }
  /** A square picture with transparency. */
  | { readonly kind: "picture"; readonly path: string }
);

/** A loaded set: icons by slug, aliases followed, hidden ones left out. */
export interface EmojiSet {
  readonly style: EmojiStyle;
  readonly credit: EmojiCredit;
  icon(slug: string): EmojiIcon | undefined;
}
