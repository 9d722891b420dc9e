/** @file What training does to captions with image tags, at random (docs/nextstep-spec.md 4.4). */

import { DataFormatError } from "../../errors.ts";
import { IMAGE_TAG_PATTERN } from "../data/image-tags.ts";
import { choose } from "./captions.ts";
import { chooseWeighted } from "./mixing.ts";

const TAGS_LAST_PROBABILITY = 0.1;
const TWO_IMAGES_PROBABILITY = 0.2;
const THREE_IMAGES_PROBABILITY = 0.3;
/** With three tags: how likely the first and the second are to go. */
const DROP_WEIGHTS = [0.3, 0.7];
const TAGS_ONLY_PROBABILITY = 0.1;
/** Difference of height / width within which an image is brought to the sample's common size. */
const SIMILAR_RATIO = 0.1;

function tagsOf(caption: string): string[] {
  return [...caption.matchAll(IMAGE_TAG_PATTERN)].map(([tag]) => tag);
}

/**
 * Numbers of the images that a caption names, in the order of its tags: the order in which the sample's pictures
 * stand.
 * Throws DataFormatError for a number that is none of `count` images.
 */
export function taggedImages(caption: string, count: number): number[] {
  return [...caption.matchAll(IMAGE_TAG_PATTERN)].map(([tag, digits]) => {
    const image = Number(digits);
    if (image >= count) throw new DataFormatError(`${tag} of ${count} images`, { where: "caption" });
    return image;
  });
}

/**
 * Changes an editing caption: sometimes moves all tags to the end; of two tags sometimes drops the source image or
 * the text (the published third choice, both, also keeps all tags and so drops the text); of three sometimes drops
 * the first or the second.
 * @param random uniform in [0, 1)
 */
export function augmentEditCaption(caption: string, random: () => number): string {
  const tags = tagsOf(caption);
  let text = caption;
  if (random() < TAGS_LAST_PROBABILITY) {
    for (const tag of tags) text = text.replaceAll(tag, "");
    text += tags.join("");
  }
  if (tags.length === 2 && random() < TWO_IMAGES_PROBABILITY) {
    const change = choose(["image", "text", "both"], random);
    return change === "image" ? text.replace(tags[0] ?? "", "") : tags.join("");
  }
  if (tags.length === 3 && random() < THREE_IMAGES_PROBABILITY) {
    return text.replace(tags[chooseWeighted(DROP_WEIGHTS, random)] ?? "", "");
  }
  return text;
}

/** Sometimes leaves only the image tags of an interleaved caption. */
export function augmentInterleavedCaption(caption: string, random: () => number): string {
  return random() < TAGS_ONLY_PROBABILITY ? tagsOf(caption).join("") : caption;
}

/**
 * Sizes to which the images of one editing sample are stretched before they are cropped, so that pictures that were
 * meant to match do: those with nearly the ratio of the least height to the least width (but not quite) take that
 * size, the others keep their own.
 * @param sizes [height, width] of each image
 */
export function matchSimilarSizes(
  sizes: readonly (readonly [height: number, width: number])[],
): (readonly [height: number, width: number])[] {
  const height = Math.min(...sizes.map((size) => size[0]));
  const width = Math.min(...sizes.map((size) => size[1]));
  return sizes.map((size) => {
    const difference = Math.abs(size[0] / size[1] - height / width);
    return difference > 0 && difference < SIMILAR_RATIO ? [height, width] : size;
  });
}
