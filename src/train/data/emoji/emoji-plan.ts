/** @file Which pictures the emoji data consists of: singles, held-out pairs of subject and style, composed scenes. */

import { ConfigError } from "../../../errors.ts";
import type { CounterRng } from "../../../tensor/counter-rng.ts";
import { randomFor } from "../../step-random.ts";
import { type Background, COLOURED_BACKGROUNDS, type Scene, type SceneLayout } from "./emoji-scenes.ts";
import { DEFAULT_STYLE, type EmojiStyle } from "./emoji-sets.ts";
import type { EmojiSubject } from "./emoji-subjects.ts";

export interface EmojiPlan {
  /** Singles on white and scenes, in the order in which they are written. */
  readonly train: readonly Scene[];
  /** Singles on white that no training picture shows in that style. */
  readonly heldOut: readonly Scene[];
}

export interface EmojiPlanOptions {
  readonly subjects: readonly EmojiSubject[];
  readonly seed: number;
  /** Share of composed scenes among the training pictures, 0 to below 1. */
  readonly sceneShare: number;
}

/** A fifth of the subjects that have four styles or more lose one to the held-out set. */
const HELD_OUT_SHARE = 0.2;
const HELD_OUT_MINIMUM_STYLES = 4;

/** Out of 20 composed scenes: single on a colour, counts, pairs. */
const LAYOUT_DECK: readonly SceneLayout[] = [
  ...Array<SceneLayout>(6).fill("single"),
  ...Array<SceneLayout>(2).fill("two"),
  ...Array<SceneLayout>(2).fill("three"),
  ...Array<SceneLayout>(2).fill("four"),
  ...Array<SceneLayout>(4).fill("beside"),
  ...Array<SceneLayout>(4).fill("above"),
];

/** The default style is what captions without a style word ask for, so it gets half of the scenes. */
const DEFAULT_STYLE_SHARE = 0.5;
const COLOURED_SHARE = 0.5;

/** Attempts at a scene that is new and possible; only tiny sets of subjects run out of combinations. */
const MAX_ATTEMPTS = 1000;

/**
 * The style in which a subject is held out, if any. It depends on the seed and the subject alone, so that the
 * held-out pairs of a subset are held out of every larger set, too.
 */
export function heldOutStyle(subject: EmojiSubject, seed: number): EmojiStyle | undefined {
  const others = [...subject.icons.keys()].filter((style) => style !== DEFAULT_STYLE);
  if (others.length + 1 < HELD_OUT_MINIMUM_STYLES) return undefined;
  const rng = randomFor(seed, `held-out ${subject.id}`);
  return rng.uniform() < HELD_OUT_SHARE ? others[rng.below(others.length)] : undefined;
}

/**
 * Lists every picture of the data set; the same options give the same list.
 * @throws ConfigError for a scene share outside [0, 1), or more scenes than the subjects can be composed to.
 */
export function planEmojiData({ subjects, seed, sceneShare }: EmojiPlanOptions): EmojiPlan {
  if (!(sceneShare >= 0 && sceneShare < 1)) {
    throw new ConfigError(`a scene share of ${sceneShare}`, {
      where: "scenes",
      remedy: "give a number from 0 to below 1",
    });
  }
  const singles: Scene[] = [];
  const heldOut: Scene[] = [];
  const usable = new Map<EmojiSubject, readonly EmojiStyle[]>();
  for (const first of subjects) {
    const kept = heldOutStyle(first, seed);
    const styles = [...first.icons.keys()];
    for (const style of styles) {
      const scene: Scene = { layout: "single", style, background: "white", first };
      (style === kept ? heldOut : singles).push(scene);
    }
    usable.set(
      first,
      styles.filter((style) => style !== kept),
    );
  }
  const rng = randomFor(seed, "scenes");
  const sceneCount = Math.round((singles.length * sceneShare) / (1 - sceneShare));
  const scenes = composeScenes(subjects, usable, sceneCount, rng);
  return { train: rng.shuffle([...singles, ...scenes]), heldOut };
}

/** Deals the items of a list in random order, again and again, so that all come equally often. */
class Deck<T> {
  readonly #items: readonly T[];
  readonly #rng: CounterRng;
  #left: T[] = [];

  constructor(items: readonly T[], rng: CounterRng) {
    this.#items = items;
    this.#rng = rng;
  }

  deal(): T {
    if (this.#left.length === 0) this.#left = this.#rng.shuffle([...this.#items]);
    return this.#left.pop()!;
  }
}

function composeScenes(
  subjects: readonly EmojiSubject[],
  usable: ReadonlyMap<EmojiSubject, readonly EmojiStyle[]>,
  count: number,
  rng: CounterRng,
): Scene[] {
  if (count === 0) return [];
  const layouts = new Deck(LAYOUT_DECK, rng);
  const colours = new Deck(COLOURED_BACKGROUNDS, rng);
  const all = new Deck(subjects, rng);
  const countable = new Deck(
    subjects.filter((subject) => subject.plural !== undefined),
    rng,
  );
  const scenes: Scene[] = [];
  const seen = new Set<string>();

  const attempt = (layout: SceneLayout): Scene | undefined => {
    const isPair = layout === "beside" || layout === "above";
    const first = (isPair || layout === "single" ? all : countable).deal();
    const styles = usable.get(first)!;
    const others = styles.filter((style) => style !== DEFAULT_STYLE);
    const useDefault = styles.includes(DEFAULT_STYLE) && rng.uniform() < DEFAULT_STYLE_SHARE;
    const style = useDefault || others.length === 0 ? DEFAULT_STYLE : others[rng.below(others.length)]!;
    const coloured = layout === "single" || rng.uniform() < COLOURED_SHARE;
    const background: Background = coloured ? colours.deal() : "white";
    if (!isPair) return styles.includes(style) ? { layout, style, background, first } : undefined;
    const second = all.deal();
    if (second === first || !usable.get(second)!.includes(style)) return undefined;
    return { layout, style, background, first, second };
  };

  while (scenes.length < count) {
    const layout = layouts.deal();
    let scene: Scene | undefined;
    for (let tries = 0; tries < MAX_ATTEMPTS && scene === undefined; tries++) {
      const candidate = attempt(layout);
      if (candidate !== undefined && !seen.has(sceneIdentity(candidate))) scene = candidate;
    }
    if (scene === undefined) {
      throw new ConfigError(
        `only ${scenes.length} different scenes were found for ${subjects.length} subjects`,
        {
          where: "scenes",
          remedy: "take more subjects or a smaller share of scenes",
        },
      );
    }
    seen.add(sceneIdentity(scene));
    scenes.push(scene);
  }
  return scenes;
}

/** What makes a picture the picture it is. */
export function sceneIdentity(scene: Scene): string {
  return [scene.style, scene.layout, scene.background, scene.first.id, scene.second?.id ?? ""].join("/");
}
