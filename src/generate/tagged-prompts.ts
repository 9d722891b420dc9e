/** @file Which images belong to which prompt: one at each `<image>` tag, or all in front of prompts without tags. */
import { InputError } from "../errors.ts";

const TAG = "<image>";

export interface TaggedPrompt {
  /** With a tag for each image. */
  readonly caption: string;
  /** Indexes into the images, in the order of the tags. */
  readonly images: readonly number[];
}

/**
 * The images of each prompt. Where no prompt has a tag, each gets all images in front; else each its own, in the order of
 * all tags.
 * @throws InputError when some prompts have tags, but not one for each image.
 */
export function placeImages(captions: readonly string[], images: number): readonly TaggedPrompt[] {
  if (images === 0) return captions.map((caption) => ({ caption, images: [] }));
  const tags = captions.map((caption) => caption.split(TAG).length - 1);
  const all = tags.reduce((sum, count) => sum + count, 0);
  if (all === 0) {
    const every = Array.from({ length: images }, (_, index) => index);
    return captions.map((caption) => ({ caption: TAG.repeat(images) + caption, images: every }));
  }
  if (all !== images) {
    throw new InputError(`${images} images for ${all} ${TAG} tags`, {
      where: "images",
      remedy: `write one ${TAG} for each image, or none at all`,
    });
  }
  let next = 0;
  return captions.map((caption, index) => ({
    caption,
    images: Array.from({ length: tags[index] as number }, () => next++),
  }));
}

/** The words of a prompt alone. */
export function withoutTags(caption: string): string {
  return caption.replaceAll(TAG, " ");
}
