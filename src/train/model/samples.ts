/**
 * @file Samples of model training: which one a visit shows, with which caption, in which form
 * (docs/nextstep-spec.md 4.1, 4.4). Everything about a visit follows from the seed and its number.
 */
import { DataFormatError } from "../../errors.ts";
import type { Grid } from "../../sequence/segments.ts";
import type { TextTokenizer } from "../../sequence/tokenizer.ts";
import type { CounterRng } from "../../tensor/counter-rng.ts";
import type { SampleText, TarDataset } from "../data/dataset-reader.ts";
import { ShardedEpochOrder } from "../data/epoch-order.ts";
import type { FaultySamples } from "../data/faulty-samples.ts";
import { onSample } from "../data/sample-error.ts";
import { pickCaption } from "../data/sample-json.ts";
import { randomFor } from "../step-random.ts";
import { applyTemplate, choose, drawCaption } from "./captions.ts";
import { augmentEditCaption, augmentInterleavedCaption, taggedImages } from "./edit-captions.ts";
import type { LatentStore } from "./latent-store.ts";
import type { DataSetConfig, Lesson, ModelTrainConfig } from "./model-train-config.ts";
import { measureImages, rejectNumbers, rejectSample } from "./sample-filter.ts";
import {
  editingSample,
  imageTextSample,
  interleavedSample,
  type TrainingSample,
  textIds,
} from "./training-sample.ts";

/** A picture at its place in a batch. */
export interface PlannedImage {
  /** Number of the data set. */
  readonly set: number;
  readonly sample: number;
  readonly image: number;
  /** Tokens of its height and width. */
  readonly grid: Grid;
  readonly predicted: boolean;
}

export interface BuiltSample {
  readonly sample: TrainingSample;
  /** One for each image of the sample's ids. */
  readonly images: readonly PlannedImage[];
}

export type SampleSettings = Pick<ModelTrainConfig, "seed" | "captions" | "dropText" | "dropCaption">;

export interface SampleLimits {
  /** Ids of a row; how many pictures an interleaved sample may keep depends on it. */
  readonly maxLength: number;
  /** Tokens of the largest picture. */
  readonly maxImageTokens: number;
}

/** One data set of the mix. */
export class SampleSource {
  readonly type: DataSetConfig["type"];
  /** Samples of an epoch. */
  readonly length: number;
  /** Share in the mix, relative to the others. */
  readonly weight: number;
  readonly #set: number;
  readonly #config: DataSetConfig;
  readonly #settings: SampleSettings;
  readonly #limits: SampleLimits;
  readonly #tokenizer: TextTokenizer;
  readonly #data: Pick<TarDataset, "textAt" | "imagesAt" | "placeOf">;
  readonly #latents: Pick<LatentStore, "gridsOf"> | undefined;
  readonly #order: ShardedEpochOrder;
  readonly #faults: FaultySamples;

  /** @param source.latents of the pictures; language data needs none. */
  constructor(
    source: {
      readonly set: number;
      readonly config: DataSetConfig;
      readonly data: Pick<TarDataset, "textAt" | "imagesAt" | "placeOf" | "tarLengths" | "length">;
      readonly latents: Pick<LatentStore, "gridsOf"> | undefined;
      /** Takes note of samples that cannot be used. */
      readonly faults: FaultySamples;
    },
    tokenizer: TextTokenizer,
    settings: SampleSettings,
    limits: SampleLimits,
  ) {
    const { set, config, data, latents, faults } = source;
    this.#faults = faults;
    this.type = config.type;
    this.length = data.length;
    this.weight = config.samples ?? data.length;
    this.#set = set;
    this.#config = config;
    this.#settings = settings;
    this.#limits = limits;
    this.#tokenizer = tokenizer;
    this.#data = data;
    this.#latents = latents;
    this.#order = new ShardedEpochOrder(settings.seed + set, data.tarLengths);
  }

  /**
   * The sample of a visit, or null when the filter or the form leaves it out, or it cannot be used.
   * @param numbers bounds on its metadata beyond those of the filter.
   * @throws DataFormatError when too many samples cannot be used.
   */
  async build(visit: number, numbers: Lesson["numbers"] = {}): Promise<BuiltSample | null> {
    return this.#usable(visit, (index) => this.#build(index, visit, numbers));
  }

  async #build(index: number, visit: number, numbers: Lesson["numbers"]): Promise<BuiltSample | null> {
    const text = await this.#data.textAt(index);
    if (rejectNumbers(text.metadata, numbers) !== null) return null;
    const rng = this.#random(visit);
    const caption = captionOf(text, this.#config.captions ?? this.#settings.captions, () => rng.uniform());
    if (await this.#isRejected(index, text, caption)) return null;
    const grids = (await this.#latents?.gridsOf(index)) ?? [];
    const built = this.#form(caption, grids, rng);
    const { sample } = built;
    if (sample.spans === null) return null;
    const images = sample.images.map((image, place) => ({
      set: this.#set,
      sample: index,
      image: built.order[image] ?? image,
      grid: sample.grids[place]!,
      predicted: sample.imageFlags[place] !== 0,
    }));
    return { sample, images };
  }

  /**
   * Ids of the text of a visit to language data, or null as for `build`. Throws as `build`.
   * @param longest texts with more ids cannot be used.
   */
  async buildText(visit: number, longest = Number.POSITIVE_INFINITY): Promise<number[] | null> {
    return this.#usable(visit, (index) => this.#buildText(index, longest));
  }

  /** What is made of a visit's sample; null, with a note, when it cannot be used. */
  async #usable<Built>(visit: number, build: (index: number) => Promise<Built>): Promise<Built | null> {
    const index = this.#order.sampleAt(visit);
    try {
      return await onSample(this.#data.placeOf(index), () => build(index));
    } catch (error) {
      this.#faults.leaveOut(error, { set: this.#config.path, index, of: this.length });
      return null;
    }
  }

  async #buildText(index: number, longest: number): Promise<number[] | null> {
    const text = await this.#data.textAt(index);
    const content = text.description.text ?? text.captions[0]?.text;
    if (content === undefined) throw new DataFormatError("has no text", { where: text.where });
    if (await this.#isRejected(index, text, content)) return null;
    const ids = textIds(this.#tokenizer, content);
    if (ids.length > longest) {
      throw new DataFormatError(`is a text of ${ids.length} tokens, more than the ${longest} of a row`, {
        remedy: "cut it, or set packing",
      });
    }
    return ids;
  }

  /** The first data set keeps the plain name, so that a mix of one is no mix. */
  #random(visit: number): CounterRng {
    const purpose = this.#set === 0 ? "sample" : `sample ${this.#set}`;
    return randomFor(this.#settings.seed, purpose, visit);
  }

  /** The sample and, where its images are not in the order of the data, the picture that each of them is. */
  #form(
    caption: string,
    grids: readonly Grid[],
    rng: CounterRng,
  ): { sample: TrainingSample; order: readonly number[] } {
    const random = (): number => rng.uniform();
    const tokenizer = this.#tokenizer;
    if (this.type === "image_editing") {
      const changed = augmentEditCaption(caption, random);
      const order = taggedImages(changed, grids.length);
      if (order.length === 0) {
        throw new DataFormatError("the caption of an edit has no image tags", {
          remedy: "write <image_0> and so on where its pictures stand, or set type to image_text_pair",
        });
      }
      const tagged = order.map((image) => grids[image]!);
      return { sample: editingSample(tokenizer, changed, tagged), order };
    }
    if (this.type === "interleave") {
      const changed = augmentInterleavedCaption(caption, random);
      const order = taggedImages(changed, grids.length);
      const tagged = order.map((image) => grids[image]!);
      const { maxLength: maxLen, maxImageTokens } = this.#limits;
      return {
        sample: interleavedSample(tokenizer, changed, tagged, { maxLen, maxImageTokens, random }),
        order,
      };
    }
    const [grid] = grids;
    if (grid === undefined) throw new DataFormatError("has no picture", { where: caption });
    const { dropText } = this.#settings;
    const dropCaption = this.#config.dropCaption ?? this.#settings.dropCaption;
    const place = random();
    const isLeftOut = place < dropCaption;
    const isBehind = !isLeftOut && place < dropCaption + dropText;
    const sample = imageTextSample(tokenizer, isLeftOut ? "" : caption, grid, { dropText: isBehind });
    return { sample, order: [0] };
  }

  async #isRejected(index: number, text: SampleText, caption: string): Promise<boolean> {
    const { filter } = this.#config;
    if (filter === undefined) return false;
    const { height, width, area, aspectRatio, keywords, numbers } = filter;
    const isMeasured = [height, width, area, aspectRatio].some((bound) => bound !== undefined);
    const pictures = this.#latents !== undefined && isMeasured ? await this.#data.imagesAt(index) : [];
    const sizes = pictures.map(({ height, width }) => [height, width] as const);
    const measures =
      sizes.length === 0
        ? { height: Number.POSITIVE_INFINITY, width: Number.POSITIVE_INFINITY, aspectRatio: 1 }
        : measureImages(sizes);
    const given = Object.entries({ height, width, area, aspectRatio, keywords, numbers });
    const reason = rejectSample(
      { ...measures, caption, metadata: text.metadata },
      Object.fromEntries(given.filter(([, value]) => value !== undefined)),
      (lower) => randomFor(this.#settings.seed, `keyword ${lower}`).uniform(),
    );
    return reason !== null;
  }
}

/**
 * Draws the caption of a sample.
 * @param random uniform in [0, 1)
 * @throws DataFormatError when it has none.
 */
export function captionOf(
  { captions: alternatives, description, where }: SampleText,
  captions: SampleSettings["captions"],
  random: () => number,
): string {
  if (captions === "weighted") return pickCaption(alternatives, random(), where);
  const text = drawCaption(description, captions, random);
  if (text === null || text === "") throw new DataFormatError("has no caption", { where });
  return captions.templates.length === 0 ? text : applyTemplate(choose(captions.templates, random), text);
}
