/** @file Compositions of icons on the canvas: single ones of three sizes and in places, several of a kind, pairs, groups. */

import { InputError } from "../../../errors.ts";
import type { ImageSize, RgbImage } from "../../../image/pixels.ts";
import {
  CANVAS_SIDE,
  type EmojiRenderer,
  encodeCanvas,
  mirrorCanvas,
  newCanvas,
  paintIcon,
  type Rgb,
} from "./emoji-render.ts";
import type { EmojiStyle } from "./emoji-styles.ts";
import type { EmojiSubject } from "./emoji-subjects.ts";

/** Background colours by the word that captions use. White is the one that captions need not mention. */
export const BACKGROUNDS = {
  white: [255, 255, 255],
  red: [224, 62, 62],
  orange: [246, 146, 46],
  yellow: [250, 218, 74],
  green: [86, 176, 88],
  turquoise: [70, 200, 196],
  blue: [66, 122, 220],
  purple: [142, 84, 190],
  pink: [246, 158, 196],
  brown: [136, 92, 60],
  beige: [238, 220, 184],
  grey: [150, 150, 150],
  black: [24, 24, 24],
} as const satisfies Readonly<Record<string, Rgb>>;
export type Background = keyof typeof BACKGROUNDS;
export const COLOURED_BACKGROUNDS: readonly Background[] = [
  "red",
  "orange",
  "yellow",
  "green",
  "turquoise",
  "blue",
  "purple",
  "pink",
  "brown",
  "beige",
  "grey",
  "black",
];

/** One subject alone, in the middle (three sizes) or at a side. */
export const SINGLE_LAYOUTS = ["single", "small", "large", "left", "right", "top", "bottom"] as const;
/** Several of one kind. */
export const COUNT_LAYOUTS = ["two", "three", "four"] as const;
/** Two subjects: the first on the left, or above. */
export const PAIR_LAYOUTS = ["beside", "above"] as const;
/** Three subjects, two of them above the third, or four, two above two; in the reading order of the picture. */
export const GROUP_LAYOUTS = ["trio", "quartet"] as const;
export type SceneLayout =
  | (typeof SINGLE_LAYOUTS)[number]
  | (typeof COUNT_LAYOUTS)[number]
  | (typeof PAIR_LAYOUTS)[number]
  | (typeof GROUP_LAYOUTS)[number];

/** What one picture shows. `second` is there in pairs and groups only, `others`, the third and fourth, in groups. */
export interface Scene {
  readonly layout: SceneLayout;
  readonly style: EmojiStyle;
  readonly background: Background;
  readonly first: EmojiSubject;
  readonly second?: EmojiSubject;
  readonly others?: readonly EmojiSubject[];
  /** Height and width of the canvas in pixels; a square of {@link CANVAS_SIDE} when left out. */
  readonly size?: ImageSize;
}

/** Canvases that are no squares, about as large as one: upright and lying, down to 9:16. */
export const CANVAS_SIZES: readonly ImageSize[] = [
  [288, 224],
  [304, 208],
  [336, 192],
  [224, 288],
  [208, 304],
  [192, 336],
];

const SQUARE: ImageSize = [CANVAS_SIDE, CANVAS_SIDE];

export function isPair(layout: SceneLayout): layout is (typeof PAIR_LAYOUTS)[number] {
  return layout === "beside" || layout === "above";
}

/** How many different subjects a layout shows. */
export function kindsIn(layout: SceneLayout): number {
  if (isPair(layout)) return 2;
  return (GROUP_LAYOUTS as readonly SceneLayout[]).includes(layout) ? BOXES[layout].length : 1;
}

/** How many icons of one kind a layout shows, for layouts that count. */
export function countOf(layout: SceneLayout): number | undefined {
  const index = (COUNT_LAYOUTS as readonly SceneLayout[]).indexOf(layout);
  return index < 0 ? undefined : index + 2;
}

/** Sides of icons, in pixels of a canvas of 256. */
const SIDES = { middle: 224, small: 112, large: 256, cell: 112 } as const;
const CELL = CANVAS_SIDE / 2;

/** Upper left corner and side of an icon, in pixels of the canvas. */
export type Box = readonly [left: number, top: number, side: number];

function centred(side: number): Box {
  const margin = (CANVAS_SIDE - side) / 2;
  return [margin, margin, side];
}

/** An icon in the middle of the cell of half the canvas' side that begins at (left, top). */
function inCell(left: number, top: number): Box {
  const inset = (CELL - SIDES.cell) / 2;
  return [left + inset, top + inset, SIDES.cell];
}

const LEFT = inCell(0, CELL / 2);
const RIGHT = inCell(CELL, CELL / 2);
const TOP = inCell(CELL / 2, 0);
const BOTTOM = inCell(CELL / 2, CELL);

/** Two above one, and two above two. */
const THREE = [inCell(0, 0), inCell(CELL, 0), BOTTOM];
const FOUR = [inCell(0, 0), inCell(CELL, 0), inCell(0, CELL), inCell(CELL, CELL)];

/** Where icons lie, in the reading order of the picture. */
const BOXES: Readonly<Record<SceneLayout, readonly Box[]>> = {
  single: [centred(SIDES.middle)],
  small: [centred(SIDES.small)],
  large: [centred(SIDES.large)],
  left: [LEFT],
  right: [RIGHT],
  top: [TOP],
  bottom: [BOTTOM],
  two: [LEFT, RIGHT],
  three: THREE,
  four: FOUR,
  beside: [LEFT, RIGHT],
  above: [TOP, BOTTOM],
  trio: THREE,
  quartet: FOUR,
};

/** Where a layout's icons lie, in the reading order of the picture. */
export function boxesOf(layout: SceneLayout): readonly Box[] {
  return BOXES[layout];
}

/** What makes a picture the picture it is. */
export function sceneIdentity(scene: Scene): string {
  const { style, layout, background, first, second, others = [], size } = scene;
  const names = [style, layout, background, first.id, second?.id ?? "", ...others.map(({ id }) => id)];
  return [...names, ...(size === undefined ? [] : [size.join("x")])].join("/");
}

/**
 * Draws the scene, in the middle square of a canvas that is none.
 * @throws InputError when a subject has no icon in the style, or there are fewer subjects than the layout shows.
 */
export async function paintScene(scene: Scene, renderer: EmojiRenderer): Promise<RgbImage> {
  const [height, width] = scene.size ?? SQUARE;
  const canvas = newCanvas(BACKGROUNDS[scene.background], [height, width]);
  const square = Math.min(height, width);
  const subjects = subjectsOf(scene);
  if (subjects.length < kindsIn(scene.layout)) {
    throw new InputError(`${subjects.length} subjects for the layout "${scene.layout}"`, { where: "scene" });
  }
  const scaled = (length: number): number => Math.round((length * square) / CANVAS_SIDE);
  for (const [index, box] of BOXES[scene.layout].entries()) {
    const [left, top, side] = box.map(scaled) as [number, number, number];
    const subject = subjects[Math.min(index, subjects.length - 1)]!;
    const icon = subject.icons.get(scene.style);
    if (icon === undefined)
      throw new InputError(`${subject.id} has no ${scene.style} icon`, { where: "scene" });
    const drawn = await renderer.render(`${scene.style}:${subject.id}`, icon, side);
    paintIcon(canvas, drawn, left + (width - square) / 2, top + (height - square) / 2);
  }
  return canvas;
}

/** The scene, or its mirror image, as PNG bytes. Throws as {@link paintScene} does. */
export async function drawScene(scene: Scene, renderer: EmojiRenderer, mirrored = false): Promise<Buffer> {
  const canvas = await paintScene(scene, renderer);
  return encodeCanvas(mirrored ? mirrorCanvas(canvas) : canvas);
}

/** The subjects that a scene shows, each once, in the reading order of the picture. */
export function subjectsOf({ first, second, others = [] }: Scene): EmojiSubject[] {
  return second === undefined ? [first] : [first, second, ...others];
}
