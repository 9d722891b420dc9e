/** @file What the tasks of an evaluation share: pictures by group, features of all real pictures, chosen samples. */
import type { RgbImage } from "../../image/pixels.ts";
import type { EmojiStyle } from "../../train/data/emoji/emoji-styles.ts";
import { randomFor } from "../../train/step-random.ts";
import type { EvaluatedModel } from "./evaluated-model.ts";
import type { EvaluationData, SceneRecord } from "./evaluation-data.ts";
import { EVALUATION_SETTINGS, type GroupShare, type Measure } from "./measures.ts";
import type { Copier, Drawer, DrawRequest } from "./picture-maker.ts";
import { fitted, ReferencePictures } from "./reference-pictures.ts";
import type { Judged } from "./row.ts";
import type { References, Scorer } from "./scorer.ts";

/** A picture to be drawn: what it is asked for by, and what it should look like. */
export interface Wanted<Item> extends DrawRequest {
  readonly item: Item;
  readonly real: RgbImage;
}

export interface WorkshopParts {
  readonly data: EvaluationData;
  readonly evaluated: EvaluatedModel;
  /** Undefined for an autoencoder alone. */
  readonly drawer: Drawer | undefined;
  readonly copier: Copier;
  readonly scorers: readonly Scorer[];
  readonly measures: ReadonlySet<Measure>;
  /** Pictures of a group whose share is 1. */
  readonly count: number;
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
  /** Called with the number of pictures that were made since. */
  readonly onMade?: (count: number) => void;
}

export class Workshop {
  readonly parts: WorkshopParts;
  readonly #real: ReferencePictures;

  constructor(parts: WorkshopParts) {
    this.parts = parts;
    this.#real = new ReferencePictures(parts.data);
  }

  wants(...measures: readonly Measure[]): boolean {
    return measures.some((measure) => this.parts.measures.has(measure));
  }

  /** Some of a list, chosen by the seed: fewer are always among more. */
  choose<Item extends { readonly key: string }>(list: readonly Item[], share: GroupShare): Item[] {
    const count = Math.max(1, Math.round(this.parts.count * EVALUATION_SETTINGS.shares[share]));
    const inOrder = [...list].sort((a, b) => (a.key < b.key ? -1 : 1));
    return randomFor(this.parts.seed, "evaluation").shuffle(inOrder).slice(0, count);
  }

  /** A picture at the size that the model draws. */
  fit(picture: RgbImage): RgbImage {
    return fitted(picture, this.parts.evaluated.side);
  }

  async load(record: { load(): Promise<RgbImage> }): Promise<RgbImage> {
    return this.fit(await record.load());
  }

  /** The picture of a subject alone on white, if the data has one. */
  alone(subject: string, style: EmojiStyle): SceneRecord | undefined {
    return this.#real.alone(subject, style);
  }

  /** Draws and copies; nothing comes of an autoencoder alone. */
  async judge<Item>(group: string, wanted: readonly Wanted<Item>[]): Promise<Judged<Item>[]> {
    const { drawer, copier } = this.parts;
    if (drawer === undefined) return [];
    const drawn = await drawer.draw(group, wanted);
    const copies = await copier.copy(wanted.map(({ real }) => real));
    return wanted.map(({ item, real }, index) => ({
      item,
      real,
      drawn: drawn[index]!,
      copy: copies[index]!,
    }));
  }

  /** Of all subjects in a style, whole or as the small icons of scenes. */
  references(style: EmojiStyle, size: "whole" | "small"): References {
    return this.#real.of(style, size, this.parts.evaluated.side);
  }
}
