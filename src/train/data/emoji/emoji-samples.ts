/** @file Scenes, edits and texts as samples: pictures, captions with weights, where they come from. */

import { createHash } from "node:crypto";
import type { WeightedCaption } from "../sample-json.ts";
import type { SampleImage, SampleJson } from "../sample-writer.ts";
import { captionScene } from "./emoji-captions.ts";
import { captionEdit, type Edit } from "./emoji-edits.ts";
import { heldOutKind } from "./emoji-held-out.ts";
import type { EmojiCredit } from "./emoji-package.ts";
import { canvasDifference, type EmojiRenderer, encodeCanvas, mirrorCanvas } from "./emoji-render.ts";
import { paintScene, type Scene, sceneIdentity, subjectsOf } from "./emoji-scenes.ts";
import type { EmojiSet, EmojiStyle } from "./emoji-styles.ts";

export type Sample = [key: string, json: SampleJson, images: readonly SampleImage[]];

/** A mirror image that differs by less, of 255, is the picture itself: nothing is to be learned from it. */
const LEAST_MIRROR_DIFFERENCE = 3;

export class EmojiSampleMaker {
  readonly #credits: ReadonlyMap<EmojiStyle, EmojiCredit>;
  readonly #renderer: EmojiRenderer;
  readonly #ranks: ReadonlyMap<string, number>;

  /** @param ranks places of subjects by id, from 1, best known first. */
  constructor(sets: readonly EmojiSet[], renderer: EmojiRenderer, ranks: ReadonlyMap<string, number>) {
    this.#ranks = ranks;
    this.#credits = new Map(sets.map((set) => [set.style, set.credit]));
    this.#renderer = renderer;
  }

  async picture(scene: Scene): Promise<Sample> {
    const bytes = await encodeCanvas(await paintScene(scene, this.#renderer));
    const kind = heldOutKind(scene);
    const metadata = {
      ...this.#describe(scene),
      rank: this.#rankOf([scene]),
      ...(kind === undefined ? {} : { held_out: kind }),
    };
    return [keyOf(sceneIdentity(scene)), withCaptions(captionScene(scene), metadata), [png(bytes)]];
  }

  /** Null when source and target look the same. */
  async edit(edit: Edit): Promise<Sample | null> {
    const { source, target, kind, mirrored } = edit;
    const before = await paintScene(source, this.#renderer);
    const after = mirrored ? mirrorCanvas(before) : await paintScene(target, this.#renderer);
    if (canvasDifference(before, after) < LEAST_MIRROR_DIFFERENCE && mirrored) return null;
    const identity = [kind, sceneIdentity(source), sceneIdentity(target)].join(" ");
    const targetFields = Object.entries(this.#describe(target));
    const metadata = {
      ...this.#describe(source),
      rank: this.#rankOf([source, target]),
      edit: kind,
      target: Object.fromEntries(targetFields.filter(([name]) => TARGET_FIELDS.has(name))),
    };
    const images = [png(await encodeCanvas(before)), png(await encodeCanvas(after))];
    return [keyOf(identity), withCaptions(captionEdit(edit), metadata), images];
  }

  text(text: string): Sample {
    return [keyOf(`text ${text}`), { text }, []];
  }

  /** The place of the least known subject that is shown: what a curriculum goes by. */
  #rankOf(scenes: readonly Scene[]): number {
    return Math.max(...scenes.flatMap(subjectsOf).map(({ id }) => this.#ranks.get(id)!));
  }

  #describe(scene: Scene): Record<string, unknown> {
    const credit = this.#credits.get(scene.style)!;
    return {
      subject: scene.first.id,
      ...(scene.second === undefined ? {} : { second_subject: scene.second.id }),
      ...(scene.others === undefined ? {} : { other_subjects: scene.others.map(({ id }) => id) }),
      style: scene.style,
      category: scene.first.category,
      layout: scene.layout,
      background: scene.background,
      licence: credit.licence,
      credit: `${credit.set} by ${credit.author}`,
      source: `${credit.package}@${credit.version}`,
    };
  }
}

/** What is said of the picture that an edit leads to; the rest is as in its source. */
const TARGET_FIELDS: ReadonlySet<string> = new Set([
  "subject",
  "second_subject",
  "style",
  "layout",
  "background",
]);

export function withCaptions(
  captions: readonly WeightedCaption[],
  metadata: Readonly<Record<string, unknown>>,
): SampleJson {
  const best = captions.reduce((a, b) => (b.weight > a.weight ? b : a));
  return {
    caption: best.text,
    caption_all: captions.map((caption) => caption.text),
    metadata: { caption_weights: captions.map((caption) => caption.weight), ...metadata },
  };
}

export function png(bytes: Uint8Array): SampleImage {
  return { bytes, extension: "png" };
}

/** Hex, since "." and "-" separate the parts of a member's name; the same picture has the same key everywhere. */
export function keyOf(identity: string): string {
  return createHash("sha256").update(identity).digest("hex").slice(0, 32);
}

export function creditsNotice(credits: readonly (EmojiCredit & { readonly style: string })[]): string {
  const lines = credits.map(
    (credit) =>
      `${credit.set} by ${credit.author} (${credit.authorUrl})\n` +
      `  licence: ${credit.licenceTitle} (${credit.licence}), ${credit.licenceUrl}\n` +
      `  read from the npm package ${credit.package} ${credit.version}; style word "${credit.style}"\n`,
  );
  return (
    "The pictures in this data set are drawn from the sets below. They were rendered to pixels, laid on coloured\n" +
    `backgrounds and arranged several to a picture.\n\n${lines.join("\n")}`
  );
}
