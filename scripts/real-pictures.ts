/** @file The real pictures of the subjects that the default model was trained on, drawn from the icon packages. */

import { decodeImage } from "../src/files/decode-image.ts";
import type { RgbImage } from "../src/image/pixels.ts";
import type { EmojiRenderer } from "../src/train/data/emoji/emoji-render.ts";
import { drawScene } from "../src/train/data/emoji/emoji-scenes.ts";
import { EMOJI_STYLES, type EmojiStyle, loadEmojiSets } from "../src/train/data/emoji/emoji-sets.ts";
import { type EmojiSubject, listSubjects, selectSubjects } from "../src/train/data/emoji/emoji-subjects.ts";

/** How many of the best known subjects the default model has seen, and in which styles (models/default/README.md). */
export const DEFAULT_SUBJECTS = 220;
export const DEFAULT_STYLES: readonly EmojiStyle[] = ["noto", "twitter", "flat"];

/** The best known subjects, best first. */
export async function knownSubjects(count: number): Promise<EmojiSubject[]> {
  return selectSubjects(listSubjects(await loadEmojiSets(EMOJI_STYLES)), count);
}

/** The picture of a subject alone on white, as it stands in the training data. */
export async function realPicture(
  subject: EmojiSubject,
  style: EmojiStyle,
  renderer: EmojiRenderer,
): Promise<RgbImage> {
  const png = await drawScene({ layout: "single", style, background: "white", first: subject }, renderer);
  return decodeImage(png, `${style}:${subject.id}`);
}
