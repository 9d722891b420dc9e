/** @file Tags in captions that stand for pictures of the sample, `<image_0>` for its first (docs/nextstep-spec.md 4.4). */

export const IMAGE_TAG_PATTERN = /<image_(\d+)>/g;

/** The tag of a picture, by its number from 0. */
export function imageTag(image: number): string {
  return `<image_${image}>`;
}
