/** @file Compositions of icons on the canvas (single, several of one kind, pairs) and everything they may be called. */

import { InputError } from "../../../errors.ts";
import type { WeightedCaption } from "../sample-json.ts";
import {
  CANVAS_SIDE,
  CELL_ICON_SIDE,
  type EmojiRenderer,
  encodeCanvas,
  newCanvas,
  paintIcon,
  type Rgb,
  SINGLE_SIDE,
} from "./emoji-render.ts";
import { DEFAULT_STYLE, type EmojiStyle } from "./emoji-sets.ts";
import type { EmojiSubject } from "./emoji-subjects.ts";
import { numberWord, withIndefiniteArticle } from "./english-noun.ts";

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
  "grey",
  "black",
];

export type SceneLayout = "single" | "two" | "three" | "four" | "beside" | "above";

/** What one picture shows. `second` is there in the layouts "beside" (right) and "above" (below) only. */
export interface Scene {
  readonly layout: SceneLayout;
  readonly style: EmojiStyle;
  readonly background: Background;
  readonly first: EmojiSubject;
  readonly second?: EmojiSubject;
}

const COUNTS: Readonly<Partial<Record<SceneLayout, number>>> = { two: 2, three: 3, four: 4 };

const CELL = CANVAS_SIDE / 2;
const INSET = (CELL - CELL_ICON_SIDE) / 2;

/** Upper left corners of the 64 px cells, in the reading order of the picture. */
const CELLS: Readonly<Record<Exclude<SceneLayout, "single">, readonly (readonly [number, number])[]>> = {
  two: [
    [0, CELL / 2],
    [CELL, CELL / 2],
  ],
  three: [
    [0, 0],
    [CELL, 0],
    [CELL / 2, CELL],
  ],
  four: [
    [0, 0],
    [CELL, 0],
    [0, CELL],
    [CELL, CELL],
  ],
  beside: [
    [0, CELL / 2],
    [CELL, CELL / 2],
  ],
  above: [
    [CELL / 2, 0],
    [CELL / 2, CELL],
  ],
};

/**
 * Draws the scene: one icon of 112 px at (8, 8), or icons of 56 px centred in cells of 64 px.
 * @returns PNG bytes, 128 x 128.
 * @throws InputError when a subject has no icon in the style, or a pair lacks its second subject.
 */
export async function drawScene(scene: Scene, renderer: EmojiRenderer): Promise<Buffer> {
  const canvas = newCanvas(BACKGROUNDS[scene.background]);
  const draw = async (subject: EmojiSubject, side: number, left: number, top: number): Promise<void> => {
    const icon = subject.icons.get(scene.style);
    if (icon === undefined)
      throw new InputError(`${subject.id} has no ${scene.style} icon`, { where: "scene" });
    paintIcon(canvas, await renderer.render(`${scene.style}:${subject.id}`, icon, side), left, top);
  };
  if (scene.layout === "single") {
    const margin = (CANVAS_SIDE - SINGLE_SIDE) / 2;
    await draw(scene.first, SINGLE_SIDE, margin, margin);
    return encodeCanvas(canvas);
  }
  const isPair = scene.layout === "beside" || scene.layout === "above";
  for (const [index, [left, top]] of CELLS[scene.layout].entries()) {
    const subject = isPair && index === 1 ? secondOf(scene) : scene.first;
    await draw(subject, CELL_ICON_SIDE, left + INSET, top + INSET);
  }
  return encodeCanvas(canvas);
}

function secondOf(scene: Scene): EmojiSubject {
  if (scene.second === undefined) throw new InputError("a pair needs two subjects", { where: "scene" });
  return scene.second;
}

/** Phrases for what is shown, without background and style. */
function contentPhrases(scene: Scene): WeightedCaption[] {
  const { first, layout } = scene;
  if (layout === "single") {
    const bare: WeightedCaption[] = [
      { text: first.name, weight: first.withArticle === first.name ? 5 : 2 },
      { text: `a picture of ${first.withArticle}`, weight: 1 },
      { text: `${first.name} emoji`, weight: 1 },
    ];
    if (first.withArticle !== first.name) bare.unshift({ text: first.withArticle, weight: 3 });
    if (first.synonym !== undefined) bare.push({ text: first.synonym, weight: 1 });
    return bare;
  }
  const count = COUNTS[layout];
  if (count !== undefined) {
    if (first.plural === undefined) throw new InputError(`${first.id} cannot be counted`, { where: "scene" });
    const phrase = `${numberWord(count)} ${first.plural}`;
    return [
      { text: phrase, weight: 3 },
      { text: `a picture of ${phrase}`, weight: 1 },
    ];
  }
  const a = first.withArticle;
  const b = secondOf(scene).withArticle;
  if (layout === "beside") {
    return [
      { text: `${a} and ${b}`, weight: 2 },
      { text: `${a} to the left of ${b}`, weight: 1.5 },
      { text: `${b} to the right of ${a}`, weight: 1.5 },
    ];
  }
  return [
    { text: `${a} above ${b}`, weight: 2 },
    { text: `${b} below ${a}`, weight: 2 },
  ];
}

/** How often a caption mentions what it may leave out: a white background, the default style. */
const MENTION_SHARE = 0.15;

/**
 * Every caption of a scene, weights adding up to 1. Those without a style word exist for the default style alone:
 * otherwise one caption would mean a mixture of drawings.
 */
export function captionScene(scene: Scene): WeightedCaption[] {
  const white = scene.background === "white";
  const endings: WeightedCaption[] = [
    { text: ` on ${withIndefiniteArticle(scene.background)} background`, weight: 1 },
  ];
  if (white)
    endings.splice(0, 1, { text: "", weight: 1 - MENTION_SHARE }, { ...endings[0]!, weight: MENTION_SHARE });
  const styles: WeightedCaption[] = [{ text: `, ${scene.style} style`, weight: 1 }];
  if (scene.style === DEFAULT_STYLE) {
    styles.splice(0, 1, { text: "", weight: 1 - MENTION_SHARE }, { ...styles[0]!, weight: MENTION_SHARE });
  }
  const phrases = contentPhrases(scene);
  const total = phrases.reduce((sum, phrase) => sum + phrase.weight, 0);
  const captions = new Map<string, number>();
  for (const phrase of phrases) {
    for (const ending of endings) {
      for (const style of styles) {
        const text = phrase.text + ending.text + style.text;
        const weight = (phrase.weight / total) * ending.weight * style.weight;
        // Half of the captions of a proper noun are in lower case, as people type them.
        const lower = text.toLowerCase();
        for (const form of [text, lower]) captions.set(form, (captions.get(form) ?? 0) + weight / 2);
      }
    }
  }
  return [...captions].map(([text, weight]) => ({ text, weight: Number(weight.toFixed(6)) }));
}
