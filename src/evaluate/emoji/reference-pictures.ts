/** @file The real pictures that drawings are compared with: subjects alone on white, whole or as the small icons of scenes. */
import type { RgbImage } from "../../image/pixels.ts";
import { stretch } from "../../image/resize.ts";
import type { EmojiStyle } from "../../train/data/emoji/emoji-styles.ts";
import type { LabelledFeature } from "../retrieval.ts";
import { asSmallIcon } from "../scene-windows.ts";
import type { EvaluationData, SceneRecord } from "./evaluation-data.ts";
import type { References, Scorer } from "./scorer.ts";

/** Real pictures in memory at once while their features are taken. */
const CHUNK = 32;

export class ReferencePictures {
  readonly #scenes: EvaluationData["scenes"];
  readonly #features = new Map<string, Promise<readonly LabelledFeature[]>>();

  constructor({ scenes }: Pick<EvaluationData, "scenes">) {
    this.#scenes = scenes;
  }

  /** The picture of a subject alone on white, if the data has one. */
  alone(subject: string, style: EmojiStyle): SceneRecord | undefined {
    return this.#singles(style).find(({ shows }) => shows.subject === subject);
  }

  /** Of all subjects in a style, in pictures of `side` pixels; read once. */
  of(style: EmojiStyle, size: "whole" | "small", side: number): References {
    return (scorer) => {
      const key = `${scorer.name} ${style} ${size} ${side}`;
      const known = this.#features.get(key) ?? this.#read(scorer, style, size, side);
      this.#features.set(key, known);
      return known;
    };
  }

  async #read(
    scorer: Scorer,
    style: EmojiStyle,
    size: "whole" | "small",
    side: number,
  ): Promise<LabelledFeature[]> {
    const records = this.#singles(style);
    const found: LabelledFeature[] = [];
    for (let start = 0; start < records.length; start += CHUNK) {
      const chunk = records.slice(start, start + CHUNK);
      const pictures = await Promise.all(chunk.map(async (record) => fitted(await record.load(), side)));
      const features = await scorer.of(size === "small" ? pictures.map(asSmallIcon) : pictures);
      features.forEach((feature, index) => {
        found.push({ subject: chunk[index]!.shows.subject, feature });
      });
    }
    return found;
  }

  #singles(style: EmojiStyle): SceneRecord[] {
    const { seen, heldOut } = this.#scenes;
    return [...seen, ...heldOut].filter(({ shows }) => isPlain(shows) && shows.style === style);
  }
}

/** One subject in the middle, on white. */
export function isPlain({ layout, background }: SceneRecord["shows"]): boolean {
  return layout === "single" && background === "white";
}

/** A picture as a square of `side` pixels. */
export function fitted(picture: RgbImage, side: number): RgbImage {
  const fits = picture.width === side && picture.height === side;
  return fits ? picture : stretch(picture, [side, side], "lanczos");
}
