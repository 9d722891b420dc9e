/** @file Whether the thing in front of a plain background is small, and where it stands. */
import type { RgbImage } from "../../../image/pixels.ts";
import { plainGround } from "./background-colour.ts";
import type { SINGLE_LAYOUTS } from "./emoji-scenes.ts";

/** What the longer side of a thing, and where its middle lies, tell apart; a large one differs too little from others. */
export type ThingLayout = Exclude<(typeof SINGLE_LAYOUTS)[number], "large">;

/** Levels by which a channel of the thing differs from the background: more than compression and soft shadows. */
const THING_LEVELS = 32;
/** Share of the thing's pixels that may lie outside on each side: specks, the tip of a shadow. */
const OUTLIERS = 0.01;
/** Share of the picture's side that a small thing takes at most. Icons of scenes have 0.44, those in the middle 0.88. */
const SMALL_SIDE = 0.55;
/** Share of the side by which the middle of a thing lies off the picture's, at least, to stand at a side of it. */
const ASIDE = 0.12;

/** Where most of the thing begins and ends, of counts of its pixels by column or row. */
function extent(counts: Uint32Array): readonly [first: number, last: number] {
  const allowed = OUTLIERS * counts.reduce((sum, count) => sum + count, 0);
  const inward = (order: readonly number[]): number => {
    let passed = 0;
    for (const index of order) {
      passed += counts[index]!;
      if (passed > allowed) return index;
    }
    return order.length - 1;
  };
  const order = [...counts.keys()];
  return [inward(order), inward(order.toReversed())];
}

/**
 * Looks at the middle square of the picture, which is what is learnt from.
 * @returns undefined where the background is not plain, there is nothing in front of it, or the thing stands in a corner.
 */
export function thingLayout(image: RgbImage): ThingLayout | undefined {
  const background = plainGround(image)?.colour;
  if (background === undefined) return undefined;
  const side = Math.min(image.width, image.height);
  const left = (image.width - side) >> 1;
  const top = (image.height - side) >> 1;
  const columns = new Uint32Array(side);
  const rows = new Uint32Array(side);
  let found = 0;
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const at = 3 * ((y + top) * image.width + x + left);
      if (background.every((level, channel) => Math.abs(image.data[at + channel]! - level) < THING_LEVELS)) {
        continue;
      }
      columns[x]!++;
      rows[y]!++;
      found++;
    }
  }
  if (found === 0) return undefined;
  const [across, down] = [extent(columns), extent(rows)];
  const longer = Math.max(...[across, down].map(([first, last]) => last + 1 - first)) / side;
  if (longer > SMALL_SIDE) return "single";
  const [aside, below] = [across, down].map(([first, last]) => (first + last + 1) / (2 * side) - 0.5) as [
    number,
    number,
  ];
  const isAside = Math.abs(aside) >= ASIDE;
  const isBelow = Math.abs(below) >= ASIDE;
  if (isAside && isBelow) return undefined;
  if (isAside) return aside < 0 ? "left" : "right";
  if (isBelow) return below < 0 ? "top" : "bottom";
  return "small";
}
