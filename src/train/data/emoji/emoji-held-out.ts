/** @file What no training picture shows, so that it can be asked for later: subjects, styles and combinations. */

import { z } from "zod";
import { type Background, type Scene, type SceneLayout, subjectsOf } from "./emoji-scenes.ts";
import { DEFAULT_STYLE } from "./emoji-styles.ts";
import heldOutJson from "./held-out.json" with { type: "json" };

const pair = z.tuple([z.string(), z.string()]);

const heldOutSchema = z.strictObject({
  /** Subjects in no training picture at all: the image autoencoder is measured on them. */
  unseen: z.array(z.string()),
  /** Subjects that training shows in the default style alone. */
  styles: z.array(z.string()),
  /** Subject and background. */
  backgrounds: z.array(pair),
  /** Subject and layout: counts, sizes, places. */
  layouts: z.array(pair),
  /** Subjects that are never in one picture, in whatever order. */
  pairs: z.array(pair),
});

/** Lists of subject ids, committed with the code: they must not change between trainings that are compared. */
export const HELD_OUT = heldOutSchema.parse(heldOutJson);

export const HELD_OUT_KINDS = ["unseen", "style", "background", "layout", "pair"] as const;
export type HeldOutKind = (typeof HELD_OUT_KINDS)[number];

const UNSEEN: ReadonlySet<string> = new Set(HELD_OUT.unseen);
const STYLES: ReadonlySet<string> = new Set(HELD_OUT.styles);
const keys = (list: readonly (readonly [string, string])[]): ReadonlySet<string> =>
  new Set(list.map((entry) => entry.join("/")));
const BACKGROUND_KEYS = keys(HELD_OUT.backgrounds);
const LAYOUT_KEYS = keys(HELD_OUT.layouts);
const PAIR_KEYS = keys(HELD_OUT.pairs.flatMap(([a, b]) => [[a, b] as const, [b, a] as const]));

export function isUnseen(id: string): boolean {
  return UNSEEN.has(id);
}

/** Why a scene is kept out of training, or undefined if it may be trained on. */
export function heldOutKind(scene: Scene): HeldOutKind | undefined {
  const subjects = subjectsOf(scene).map(({ id }) => id);
  if (subjects.some((id) => UNSEEN.has(id))) return "unseen";
  if (scene.style !== DEFAULT_STYLE && subjects.some((id) => STYLES.has(id))) return "style";
  if (subjects.some((id) => isHeldBackground(id, scene.background))) return "background";
  if (isHeldLayout(scene.first.id, scene.layout)) return "layout";
  const isHeldPair = subjects.some((one) => subjects.some((other) => PAIR_KEYS.has(`${one}/${other}`)));
  return isHeldPair ? "pair" : undefined;
}

function isHeldBackground(id: string, background: Background): boolean {
  return BACKGROUND_KEYS.has(`${id}/${background}`);
}

function isHeldLayout(id: string, layout: SceneLayout): boolean {
  return LAYOUT_KEYS.has(`${id}/${layout}`);
}
