/** @file Which pictures, edits and texts the emoji data consists of, and which pictures are kept out of it. */

import { ConfigError } from "../../../errors.ts";
import type { CounterRng } from "../../../tensor/counter-rng.ts";
import { randomFor } from "../../step-random.ts";
import { EDIT_KINDS, type Edit, makeEdit } from "./emoji-edits.ts";
import { HELD_OUT, heldOutKind, isUnseen } from "./emoji-held-out.ts";
import {
  type Background,
  CANVAS_SIZES,
  COLOURED_BACKGROUNDS,
  countOf,
  isPair,
  kindsIn,
  type Scene,
  type SceneLayout,
  sceneIdentity,
  subjectsOf,
} from "./emoji-scenes.ts";
import { DEFAULT_STYLE, type EmojiStyle } from "./emoji-styles.ts";
import type { EmojiSubject } from "./emoji-subjects.ts";
import { emojiTexts } from "./emoji-texts.ts";

export interface EmojiPlan {
  // Lists of scenes go from well known subjects to others; trainers shuffle them.
  /** Alone on white in the default style: what a plain name asks for. */
  readonly singles: readonly Scene[];
  /** Alone on white in the other styles. */
  readonly styles: readonly Scene[];
  /** On coloured backgrounds, of other sizes, in other places, several of a kind, pairs. */
  readonly scenes: readonly Scene[];
  /** Three or four different subjects in a picture: at half the size, each has been seen more often for it. */
  readonly groups: readonly Scene[];
  /** Singles on canvases that are no squares. */
  readonly shapes: readonly Scene[];
  /** Scenes of seen subjects that no training picture shows. */
  readonly heldOut: readonly Scene[];
  /** Subjects that no training picture shows, alone on white. */
  readonly unseen: readonly Scene[];
  readonly edits: readonly Edit[];
  readonly texts: readonly string[];
}

export interface EmojiPlanOptions {
  readonly subjects: readonly EmojiSubject[];
  readonly seed: number;
  /** Share of composed scenes among the training pictures, 0 to below 1. */
  readonly sceneShare: number;
  /** Edits for each training picture. */
  readonly editShare: number;
}

/** Out of 40 composed scenes. */
const LAYOUT_DECK: readonly SceneLayout[] = [
  ...Array<SceneLayout>(12).fill("single"),
  ...(["small", "small", "large", "large"] as const),
  ...(["left", "right", "top", "bottom"] as const),
  ...Array<SceneLayout>(3).fill("two"),
  ...Array<SceneLayout>(3).fill("three"),
  ...Array<SceneLayout>(4).fill("four"),
  ...Array<SceneLayout>(5).fill("beside"),
  ...Array<SceneLayout>(5).fill("above"),
];

/** The default style is what captions without a style word ask for. */
const DEFAULT_STYLE_SHARE = 0.65;
const COLOURED_SHARE = 0.5;

/** Groups of different subjects for each composed scene. */
const GROUP_SHARE = 0.5;
const GROUP_DECK: readonly SceneLayout[] = ["trio", "quartet", "quartet", "quartet"];
/** Of a group, whose subjects are small, most are learnt in the style that is asked for without a word. */
const GROUP_DEFAULT_STYLE_SHARE = 0.85;

/** Attempts at a scene that is new and possible; only tiny sets of subjects run out of combinations. */
const MAX_ATTEMPTS = 1000;

/**
 * Lists every picture of the data set; the same options give the same list.
 * @throws ConfigError for shares out of range, or more scenes than the subjects can be composed to.
 */
export function planEmojiData({ subjects, seed, sceneShare, editShare }: EmojiPlanOptions): EmojiPlan {
  checkShare(sceneShare, "scenes");
  checkShare(editShare, "edits");
  const seen = subjects.filter(({ id }) => !isUnseen(id));
  const alone = seen.flatMap((first) => stylesOf(first).map((style) => singleOf(first, style)));
  const trained = alone.filter((scene) => heldOutKind(scene) === undefined);
  const sceneCount = Math.round((trained.length * sceneShare) / (1 - sceneShare));
  const rankOf = new Map(subjects.map((subject, rank) => [subject, rank]));
  const rank = (scene: Scene): number => Math.max(...subjectsOf(scene).map((one) => rankOf.get(one)!));
  const byRank = (a: Scene, b: Scene): number => rank(a) - rank(b);
  const scenes = composeScenes(seen, sceneCount, randomFor(seed, "scenes"));
  const groups = composeGroups(seen, Math.round(sceneCount * GROUP_SHARE), randomFor(seed, "groups"));
  const editCount = Math.round((trained.length + sceneCount) * editShare);
  return {
    singles: trained.filter(({ style }) => style === DEFAULT_STYLE),
    styles: trained.filter(({ style }) => style !== DEFAULT_STYLE),
    scenes: scenes.sort(byRank),
    groups: groups.sort(byRank),
    shapes: planShapes(seen, randomFor(seed, "shapes")),
    heldOut: [...alone.filter((scene) => heldOutKind(scene) !== undefined), ...heldOutScenes(seen)],
    unseen: subjects.filter(({ id }) => isUnseen(id)).map((first) => singleOf(first, DEFAULT_STYLE)),
    edits: planEdits(seen, editCount, randomFor(seed, "edits")),
    texts: emojiTexts(seen, randomFor(seed, "texts")),
  };
}

function checkShare(share: number, where: string): void {
  if (share >= 0 && share < 1) return;
  throw new ConfigError(`a share of ${share}`, { where, remedy: "give a number from 0 to below 1" });
}

function stylesOf(subject: EmojiSubject): EmojiStyle[] {
  return [...subject.icons.keys()];
}

function singleOf(first: EmojiSubject, style: EmojiStyle): Scene {
  return { layout: "single", style, background: "white", first };
}

/** Each subject once, on white or a colour, none that is held out. */
function planShapes(subjects: readonly EmojiSubject[], rng: CounterRng): Scene[] {
  const sizes = new Deck(CANVAS_SIZES, rng);
  const colours = new Deck(COLOURED_BACKGROUNDS, rng);
  const scenes = subjects.map((first): Scene => {
    const background: Background = rng.uniform() < COLOURED_SHARE ? colours.deal() : "white";
    return { ...singleOf(first, DEFAULT_STYLE), background, size: sizes.deal() };
  });
  return scenes.filter((scene) => heldOutKind(scene) === undefined);
}

/** The listed combinations of the subjects at hand, in the default style. */
function heldOutScenes(subjects: readonly EmojiSubject[]): Scene[] {
  const byId = new Map(subjects.map((subject) => [subject.id, subject]));
  const style = DEFAULT_STYLE;
  const scenes: (Scene | undefined)[] = [
    ...HELD_OUT.backgrounds.map(([id, background]): Scene | undefined => {
      const first = byId.get(id);
      return first && { layout: "single", style, background: background as Background, first };
    }),
    ...HELD_OUT.layouts.map(([id, layout]): Scene | undefined => {
      const first = byId.get(id);
      return first && { layout: layout as SceneLayout, style, background: "white", first };
    }),
    ...HELD_OUT.pairs.flatMap(([a, b]): (Scene | undefined)[] => {
      const [first, second] = [byId.get(a), byId.get(b)];
      if (first === undefined || second === undefined) return [];
      return [
        { layout: "beside", style, background: "white", first, second },
        { layout: "above", style, background: "white", first: second, second: first },
      ];
    }),
  ];
  return scenes.filter((scene) => scene !== undefined);
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

/** The first of up to {@link MAX_ATTEMPTS} candidates that is one. */
function firstOf<T>(attempt: () => T | undefined, where: string): T {
  for (let tries = 0; tries < MAX_ATTEMPTS; tries++) {
    const candidate = attempt();
    if (candidate !== undefined) return candidate;
  }
  throw new ConfigError(`the subjects allow no more different ones`, {
    where,
    remedy: "take more subjects or a smaller share",
  });
}

function composeScenes(subjects: readonly EmojiSubject[], count: number, rng: CounterRng): Scene[] {
  if (count === 0) return [];
  const layouts = new Deck(LAYOUT_DECK, rng);
  const colours = new Deck(COLOURED_BACKGROUNDS, rng);
  const all = new Deck(subjects, rng);
  const countable = new Deck(
    subjects.filter((subject) => subject.plural !== undefined),
    rng,
  );

  const attempt = (layout: SceneLayout): Scene | undefined => {
    const first = (countOf(layout) === undefined ? all : countable).deal();
    const others = stylesOf(first).filter((name) => name !== DEFAULT_STYLE);
    const useDefault = rng.uniform() < DEFAULT_STYLE_SHARE || others.length === 0;
    const style = useDefault ? DEFAULT_STYLE : others[rng.below(others.length)]!;
    const coloured = layout === "single" || rng.uniform() < COLOURED_SHARE;
    const background: Background = coloured ? colours.deal() : "white";
    const scene: Scene = { layout, style, background, first };
    if (!isPair(layout)) return scene;
    const second = all.deal();
    if (second === first || !second.icons.has(style)) return undefined;
    return { ...scene, second };
  };
  return distinctScenes(count, layouts, attempt);
}

/** Scenes of layouts that are dealt, all different and none held out. @param attempt undefined for one that cannot be. */
function distinctScenes(
  count: number,
  layouts: Deck<SceneLayout>,
  attempt: (layout: SceneLayout) => Scene | undefined,
): Scene[] {
  const known = new Set<string>();
  return Array.from({ length: count }, () => {
    const layout = layouts.deal();
    const scene = firstOf(() => {
      const candidate = attempt(layout);
      if (candidate === undefined || heldOutKind(candidate) !== undefined) return undefined;
      return known.has(sceneIdentity(candidate)) ? undefined : candidate;
    }, "scenes");
    known.add(sceneIdentity(scene));
    return scene;
  });
}

/** Different subjects, each as often as any other; none where the subjects are too few to make a group. */
function composeGroups(subjects: readonly EmojiSubject[], count: number, rng: CounterRng): Scene[] {
  const layouts = new Deck(GROUP_DECK, rng);
  const colours = new Deck(COLOURED_BACKGROUNDS, rng);
  const all = new Deck(subjects, rng);
  const styles = [...new Set(subjects.flatMap(stylesOf))].filter((style) => style !== DEFAULT_STYLE);
  const most = Math.max(...GROUP_DECK.map(kindsIn));
  if (subjects.length <= 2 * most) return [];
  return distinctScenes(count, layouts, (layout) => {
    const useDefault = styles.length === 0 || rng.uniform() < GROUP_DEFAULT_STYLE_SHARE;
    const style = useDefault ? DEFAULT_STYLE : styles[rng.below(styles.length)]!;
    const background = rng.uniform() < COLOURED_SHARE ? colours.deal() : "white";
    const [first, second, ...others] = Array.from({ length: kindsIn(layout) }, () => all.deal());
    const scene: Scene = { layout, style, background, first: first!, second: second!, others };
    const subjects = new Set(subjectsOf(scene));
    const isPossible =
      subjects.size === kindsIn(layout) && [...subjects].every(({ icons }) => icons.has(style));
    return isPossible ? scene : undefined;
  });
}

/** Edits of all kinds alike, none of whose pictures is held out. */
function planEdits(subjects: readonly EmojiSubject[], count: number, rng: CounterRng): Edit[] {
  if (count === 0) return [];
  const deck = new Deck(subjects, rng);
  const styles = [...new Set(subjects.flatMap(stylesOf))];
  const kinds = EDIT_KINDS.filter((kind) => kind !== "style" || styles.length > 1);
  const material = { rng, styles, subject: () => deck.deal() };
  return Array.from({ length: count }, (_, index) =>
    firstOf(() => {
      const edit = makeEdit(kinds[index % kinds.length]!, material);
      const isPossible = edit !== undefined && [edit.source, edit.target].every(canBeTrainedOn);
      return isPossible ? edit : undefined;
    }, "edits"),
  );
}

function canBeTrainedOn(scene: Scene): boolean {
  return subjectsOf(scene).every(({ icons }) => icons.has(scene.style)) && heldOutKind(scene) === undefined;
}
