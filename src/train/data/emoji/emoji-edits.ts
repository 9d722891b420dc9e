/** @file Edits: a picture, what to do with it in words, and the picture that comes out. */

import type { CounterRng } from "../../../tensor/counter-rng.ts";
import type { WeightedCaption } from "../sample-json.ts";
import { definite } from "./emoji-captions.ts";
import { type Background, COLOURED_BACKGROUNDS, type Scene, type SceneLayout } from "./emoji-scenes.ts";
import { DEFAULT_STYLE, type EmojiStyle } from "./emoji-styles.ts";
import type { EmojiSubject } from "./emoji-subjects.ts";
import { withIndefiniteArticle } from "./english-noun.ts";

export const EDIT_KINDS = [
  "background",
  "style",
  "mirror",
  "enlarge",
  "shrink",
  "add",
  "remove",
  "replace",
  "move",
  "count",
] as const;
export type EditKind = (typeof EDIT_KINDS)[number];

export interface Edit {
  readonly kind: EditKind;
  readonly source: Scene;
  /** What comes out: a scene, or the source's mirror image. */
  readonly target: Scene;
  readonly mirrored: boolean;
  readonly instructions: readonly string[];
}

/** Draws what an edit needs; all choices are random. */
export interface EditMaterial {
  readonly rng: CounterRng;
  readonly styles: readonly EmojiStyle[];
  subject(): EmojiSubject;
}

const pick = <Item>(rng: CounterRng, items: readonly Item[]): Item => items[rng.below(items.length)]!;

/** Half of the sources are on white. */
function anyBackground(rng: CounterRng): Background {
  return rng.uniform() < 0.5 ? "white" : pick(rng, COLOURED_BACKGROUNDS);
}

function sourceOf(material: EditMaterial, layout: SceneLayout): Scene {
  const { rng } = material;
  const style = rng.uniform() < 0.7 ? DEFAULT_STYLE : pick(rng, material.styles);
  return { layout, style, background: anyBackground(rng), first: material.subject() };
}

type Side = "left" | "right" | "top" | "bottom";
const SIDES: readonly Side[] = ["left", "right", "top", "bottom"];

/** "to the right", "below": where something lies that is added beside what stands there. */
const ADDED_PLACE: Readonly<Record<Side, string>> = {
  left: "to the right",
  right: "to the left",
  top: "below",
  bottom: "above",
};

/** The pair of something at a side and another thing opposite. */
function pairWith(scene: Scene, side: Side, other: EmojiSubject): Scene {
  const layout = side === "left" || side === "right" ? "beside" : "above";
  const isFirst = side === "left" || side === "top";
  const [first, second] = isFirst ? [scene.first, other] : [other, scene.first];
  return { ...scene, layout, first, second };
}

/**
 * An edit of a kind, or undefined when the material that was drawn does not suit it (try again).
 * Whether its scenes may be trained on is the caller's to check.
 */
export function makeEdit(kind: EditKind, material: EditMaterial): Edit | undefined {
  const { rng, styles } = material;
  const edit = (source: Scene, target: Scene, instructions: readonly string[], mirrored = false): Edit => ({
    kind,
    source,
    target,
    mirrored,
    instructions,
  });
  switch (kind) {
    case "background": {
      const source = sourceOf(material, pick(rng, ["single", "single", "large", "left", "right"]));
      const background: Background = rng.uniform() < 0.15 ? "white" : pick(rng, COLOURED_BACKGROUNDS);
      if (background === source.background) return undefined;
      return edit(source, { ...source, background }, [
        `make the background ${background}`,
        `change the background to ${background}`,
        `put it on ${withIndefiniteArticle(background)} background`,
        `${background} background`,
      ]);
    }
    case "style": {
      const source = sourceOf(material, pick(rng, ["single", "single", "large", "small"]));
      const others = styles.filter((style) => style !== source.style && source.first.icons.has(style));
      if (others.length === 0) return undefined;
      const style = pick(rng, others);
      return edit(source, { ...source, style }, [
        `make it ${style} style`,
        `draw it in ${style} style`,
        `change the style to ${style}`,
        `${style} style`,
      ]);
    }
    case "mirror": {
      const source = sourceOf(material, pick(rng, ["single", "single", "large", "left", "right"]));
      const words = ["mirror it", "flip it horizontally", "mirror the picture", "turn it the other way"];
      return edit(source, source, words, true);
    }
    case "enlarge":
    case "shrink": {
      const sizes = ["small", "single", "large"] as const;
      const from = rng.below(2);
      const [small, big] = [sourceOf(material, sizes[from]!), sizes[from + 1]!];
      const large = { ...small, layout: big };
      const it = definite(small.first);
      return kind === "enlarge"
        ? edit(small, large, ["make it bigger", `make ${it} bigger`, "enlarge it", "zoom in"])
        : edit(large, small, ["make it smaller", `make ${it} smaller`, "shrink it", "zoom out"]);
    }
    case "add":
    case "remove": {
      const side = pick(rng, SIDES);
      const alone = sourceOf(material, side);
      const other = material.subject();
      if (other === alone.first) return undefined;
      const both = pairWith(alone, side, other);
      if (kind === "remove") {
        return edit(both, alone, [`remove ${definite(other)}`, `take away ${definite(other)}`]);
      }
      const place = ADDED_PLACE[side];
      return edit(alone, both, [
        `add ${other.withArticle} ${place}`,
        `put ${other.withArticle} ${place}`,
        side === "top" || side === "bottom"
          ? `add ${other.withArticle} ${place} ${definite(alone.first)}`
          : `add ${other.withArticle} ${place} of ${definite(alone.first)}`,
      ]);
    }
    case "replace": {
      const layout = pick(rng, ["single", "single", "beside", "above"] as const);
      const other = material.subject();
      const alone = sourceOf(material, "single");
      if (other === alone.first) return undefined;
      const words = [
        `replace ${definite(alone.first)} with ${other.withArticle}`,
        `turn ${definite(alone.first)} into ${other.withArticle}`,
      ];
      if (layout === "single") return edit(alone, { ...alone, first: other }, words);
      const second = material.subject();
      if (second === alone.first || second === other) return undefined;
      const source = { ...alone, layout, second };
      return edit(source, { ...source, first: other }, words);
    }
    case "move": {
      const side = pick(rng, SIDES);
      const opposite: Readonly<Record<Side, Side>> = {
        left: "right",
        right: "left",
        top: "bottom",
        bottom: "top",
      };
      const to = opposite[side];
      const source = sourceOf(material, side);
      return edit(source, { ...source, layout: to }, [
        `move it to the ${to}`,
        `move ${definite(source.first)} to the ${to}`,
        `put it ${to === "top" || to === "bottom" ? "at" : "on"} the ${to}`,
      ]);
    }
    case "count": {
      const [from, to] = pick(rng, [
        ["two", "three"],
        ["three", "four"],
      ] as const);
      const source = sourceOf(material, from);
      const { plural, name } = source.first;
      if (plural === undefined) return undefined;
      return edit(source, { ...source, layout: to }, [
        "add another one",
        `add another ${name}`,
        "one more",
        `make it ${to} ${plural}`,
      ]);
    }
  }
}

/** The captions of an edit as the trainer reads them: tags stand where the pictures are. */
export function captionEdit({ instructions }: Edit): WeightedCaption[] {
  return instructions.map((text) => ({
    text: `<image_0>${text}<image_1>`,
    weight: 1 / instructions.length,
  }));
}
