/**
 * @file Batches of model training: which samples, with which captions, in which rows (docs/nextstep-spec.md 4.1, 4.2).
 * Everything about a visit to a sample follows from the seed and the visit's number, so nothing need be stored but
 * where the stream stands.
 */
import { z } from "zod";
import { ConfigError, DataFormatError } from "../errors.ts";
import { aspectBuckets } from "../image/aspect-buckets.ts";
import { applyTemplate, choose, drawCaption } from "../sequence/captions.ts";
import { type PackedRow, SamplePacker } from "../sequence/packing.ts";
import { IGNORED_LABEL } from "../sequence/segments.ts";
import type { TextTokenizer } from "../sequence/tokenizer.ts";
import { imageTextSample, type TrainingSample } from "../sequence/training-sample.ts";
import type { SampleText, TarDataset } from "./data/dataset-reader.ts";
import { ShardedEpochOrder } from "./data/epoch-order.ts";
import { pickCaption } from "./data/sample-json.ts";
import type { ModelTrainConfig } from "./model-config.ts";
import type { LatentStore } from "./model-stage-latents.ts";
import { randomFor } from "./step-random.ts";
import type { JsonValue } from "./train-state.ts";

/** Rows of ids and labels; images by their index in the data, in the order of their placeholders. */
export interface PlannedBatch {
  readonly rows: number;
  readonly tokens: number;
  readonly ids: Int32Array;
  readonly labels: Int32Array;
  readonly images: readonly number[];
  /** Given when samples of a row do not see each other: which sample of its row a position belongs to. */
  readonly samples?: Int32Array;
}

/** Batches one after the other. */
export interface BatchStream {
  next(): Promise<PlannedBatch>;
  position(): JsonValue;
  /** Throws DataFormatError for a position that is none. */
  restorePosition(position: JsonValue): void;
}

export type SampleSettings = Pick<ModelTrainConfig, "captions" | "dropText" | "dropCaption" | "seed">;

/** Builds the sample of a visit. */
export class SampleBuilder {
  readonly #tokenizer: TextTokenizer;
  readonly #data: Pick<TarDataset, "textAt">;
  readonly #latents: Pick<LatentStore, "gridAt">;
  readonly #settings: SampleSettings;

  constructor(
    tokenizer: TextTokenizer,
    data: Pick<TarDataset, "textAt">,
    latents: Pick<LatentStore, "gridAt">,
    settings: SampleSettings,
  ) {
    this.#tokenizer = tokenizer;
    this.#data = data;
    this.#latents = latents;
    this.#settings = settings;
  }

  /** @throws DataFormatError for a sample without caption, or whose caption contains image tokens. */
  async build(index: number, visit: number): Promise<TrainingSample> {
    const { seed, captions, dropText, dropCaption } = this.#settings;
    const rng = randomFor(seed, "sample", visit);
    const random = (): number => rng.uniform();
    const caption = captionOf(await this.#data.textAt(index), captions, random);
    const place = random();
    const isLeftOut = place < dropCaption;
    const isBehind = !isLeftOut && place < dropCaption + dropText;
    const grid = this.#latents.gridAt(index);
    const sample = imageTextSample(this.#tokenizer, isLeftOut ? "" : caption, grid, { dropText: isBehind });
    if (sample.spans === null) {
      throw new DataFormatError("the caption contains image tokens", { where: `sample ${index}` });
    }
    return sample;
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
  if (captions === "weighted") {
    return pickCaption(alternatives, random(), where);
  }
  const text = drawCaption(description, captions, random);
  if (text === null || text === "") throw new DataFormatError("has no caption", { where });
  return captions.templates.length === 0 ? text : applyTemplate(choose(captions.templates, random), text);
}

/** Lays samples in rows of the longest one's length. */
export function padRows(
  samples: readonly { readonly sample: TrainingSample; readonly index: number }[],
  pad: number,
): PlannedBatch {
  const tokens = Math.max(...samples.map(({ sample }) => sample.ids.length));
  const ids = new Int32Array(samples.length * tokens).fill(pad);
  const labels = new Int32Array(samples.length * tokens).fill(IGNORED_LABEL);
  samples.forEach(({ sample }, row) => {
    ids.set(sample.ids, row * tokens);
    labels.set(sample.labels, row * tokens);
  });
  return { rows: samples.length, tokens, ids, labels, images: samples.map(({ index }) => index) };
}

/**
 * Batches in whose visits samples of like length are put together, so that little of a row is padding. Each window
 * is a function of its number.
 */
const WINDOW_BATCHES = 8;

const batchNumber = z.int().min(0);

/** One sample a row. */
export class PaddedBatches implements BatchStream {
  readonly #builder: SampleBuilder;
  readonly #order: ShardedEpochOrder;
  readonly #seed: number;
  readonly #size: number;
  readonly #pad: number;
  #next = 0;
  #window: { readonly number: number; readonly batches: readonly PlannedBatch[] } | undefined;

  /** @param tarLengths samples of each tar. */
  constructor(
    builder: SampleBuilder,
    tarLengths: readonly number[],
    options: { readonly seed: number; readonly batch: number; readonly pad: number },
  ) {
    this.#builder = builder;
    this.#order = new ShardedEpochOrder(options.seed, tarLengths);
    this.#seed = options.seed;
    this.#size = options.batch;
    this.#pad = options.pad;
  }

  async next(): Promise<PlannedBatch> {
    const number = Math.floor(this.#next / WINDOW_BATCHES);
    if (this.#window?.number !== number) {
      this.#window = { number, batches: await this.#buildWindow(number) };
    }
    return this.#window.batches[this.#next++ % WINDOW_BATCHES]!;
  }

  position(): JsonValue {
    return this.#next;
  }

  restorePosition(position: JsonValue): void {
    const parsed = batchNumber.safeParse(position);
    if (!parsed.success) throw new DataFormatError("is no number of a batch", { where: "position" });
    this.#next = parsed.data;
  }

  async #buildWindow(window: number): Promise<PlannedBatch[]> {
    const visits = WINDOW_BATCHES * this.#size;
    const built: { sample: TrainingSample; index: number }[] = [];
    for (let visit = window * visits; visit < (window + 1) * visits; visit++) {
      const index = this.#order.sampleAt(visit);
      built.push({ sample: await this.#builder.build(index, visit), index });
    }
    built.sort((a, b) => a.sample.ids.length - b.sample.ids.length);
    const batches = Array.from({ length: WINDOW_BATCHES }, (_, batch) =>
      padRows(built.slice(batch * this.#size, (batch + 1) * this.#size), this.#pad),
    );
    return randomFor(this.#seed, "window", window).shuffle(batches);
  }
}

const packedPosition = z.strictObject({
  visit: z.int().min(0),
  packer: z.json(),
  rows: z.array(z.tuple([z.string(), z.array(z.json())])),
});

/** What is remembered of a row that waits for its batch. */
type WaitingRow = PackedRow<number>;

/** Rows of several samples, by aspect bucket; a batch holds rows of one bucket. */
export class PackedBatches implements BatchStream {
  readonly #builder: SampleBuilder;
  readonly #order: ShardedEpochOrder;
  readonly #packer: SamplePacker<number>;
  readonly #options: PackedOptions;
  #visit = 0;
  #rows = new Map<string, WaitingRow[]>();

  constructor(builder: SampleBuilder, tarLengths: readonly number[], options: PackedOptions) {
    this.#builder = builder;
    this.#order = new ShardedEpochOrder(options.seed, tarLengths);
    this.#options = options;
    const grids = aspectBuckets(options.imageSize).map(({ grid }) => grid);
    const unique = new Map(grids.map((grid) => [grid.join(), grid]));
    this.#packer = new SamplePacker({
      maxLen: options.maxLength,
      pad: options.pad,
      grids: [...unique.values()],
    });
  }

  /** @throws ConfigError when no sample of a whole epoch fits a row. */
  async next(): Promise<PlannedBatch> {
    const { batch } = this.#options;
    let refused = 0;
    for (;;) {
      for (const [key, rows] of this.#rows) {
        if (rows.length < batch) continue;
        this.#rows.set(key, rows.slice(batch));
        return this.#toBatch(rows.slice(0, batch));
      }
      const index = this.#order.sampleAt(this.#visit);
      const sample = await this.#builder.build(index, this.#visit++);
      const { refusal, rows } = this.#packer.push(sample, index);
      refused = refusal === null ? 0 : refused + 1;
      if (refused > this.#order.length) {
        throw new ConfigError(`no sample fits a row: ${refusal}`, {
          where: "packing.maxLength",
          remedy: "make rows longer",
        });
      }
      for (const row of rows) this.#rows.set(row.key, [...(this.#rows.get(row.key) ?? []), row]);
    }
  }

  #toBatch(rows: readonly WaitingRow[]): PlannedBatch {
    const { maxLength: tokens, isolateSamples } = this.#options;
    const planned = {
      rows: rows.length,
      tokens,
      ids: Int32Array.from(rows.flatMap(({ ids }) => ids)),
      labels: Int32Array.from(rows.flatMap(({ labels }) => labels)),
      images: rows.flatMap(({ sources }) => sources),
    };
    return isolateSamples ? { ...planned, samples: sampleNumbers(planned, this.#options.eos) } : planned;
  }

  position(): JsonValue {
    return JSON.parse(
      JSON.stringify({ visit: this.#visit, packer: this.#packer.state(), rows: [...this.#rows] }),
    ) as JsonValue;
  }

  restorePosition(position: JsonValue): void {
    const parsed = packedPosition.safeParse(position);
    if (!parsed.success) throw new DataFormatError("is no position in packed data", { where: "position" });
    this.#visit = parsed.data.visit;
    this.#packer.restore(parsed.data.packer, (value) => batchNumber.parse(value));
    this.#rows = new Map(
      parsed.data.rows.map(([key, rows]) => [key, rows.map((row) => rowSchema.parse(row))]),
    );
  }
}

const integers = z.array(z.int());
const rowSchema = z.strictObject({
  key: z.string(),
  ids: integers,
  labels: integers,
  grids: z.array(z.tuple([z.int(), z.int()])),
  imageFlags: integers,
  sources: integers,
  padding: z.int(),
});

export interface PackedOptions {
  readonly seed: number;
  /** Rows of a batch. */
  readonly batch: number;
  readonly maxLength: number;
  readonly isolateSamples: boolean;
  readonly imageSize: number;
  readonly pad: number;
  readonly eos: number;
}

/** Every sample ends in EOS, which stands nowhere else in a caption. */
function sampleNumbers(batch: PlannedBatch, eos: number): Int32Array {
  const numbers = new Int32Array(batch.ids.length);
  for (let at = 1; at < numbers.length; at++) {
    const isRowStart = at % batch.tokens === 0;
    numbers[at] = isRowStart ? 0 : numbers[at - 1]! + (batch.ids[at - 1] === eos ? 1 : 0);
  }
  return numbers;
}

/** The stream that a config asks for. */
export function batchStream(
  config: ModelTrainConfig,
  builder: SampleBuilder,
  tarLengths: readonly number[],
  tokenizer: TextTokenizer,
): BatchStream {
  const { seed, batch, packing, imageSize } = config;
  const { pad, eos } = tokenizer.specials;
  if (packing === null) return new PaddedBatches(builder, tarLengths, { seed, batch, pad });
  return new PackedBatches(builder, tarLengths, { seed, batch, ...packing, imageSize, pad, eos });
}
