/** @file Batches whose rows hold one sample each, padded on the right. */
import { z } from "zod";
import { ConfigError, DataFormatError } from "../../errors.ts";
import { IGNORED_LABEL } from "../../sequence/segments.ts";
import type { JsonValue } from "../plain-json.ts";
import { randomFor } from "../step-random.ts";
import { chooseWeighted } from "./mixing.ts";
import type { Lesson } from "./model-train-config.ts";
import type { BuiltSample, PlannedImage, SampleSource } from "./samples.ts";

/** Rows of ids and labels, and the images in the order of their placeholders. */
export interface PlannedBatch {
  readonly rows: number;
  readonly tokens: number;
  readonly ids: Int32Array;
  readonly labels: Int32Array;
  readonly images: readonly PlannedImage[];
  /** Given when samples of a row do not see each other: which sample of its row a position belongs to. */
  readonly samples?: Int32Array;
}

/** The batches of one update after the other. */
export interface BatchStream {
  /** Batches of an update: which rows they are together does not depend on how many batches they are cut into. */
  next(): Promise<readonly PlannedBatch[]>;
  /** What is needed to go on after the updates that `next` gave. */
  position(): JsonValue;
  /** Throws DataFormatError for a position that is none. */
  restorePosition(position: JsonValue): void;
  /** Samples left out so far, since this start: by filters, or because they do not fit. */
  readonly leftOut: number;
  /** Number of the curriculum's entry that held for the last update; undefined behind its end. */
  readonly lesson: number | undefined;
}

export interface BatchOptions {
  readonly seed: number;
  /** Rows of a batch. */
  readonly batch: number;
  /** Batches of an update. */
  readonly accumulate: number;
  readonly pad: number;
}

/** Lays samples in rows of the longest one's length. */
export function padRows(samples: readonly BuiltSample[], pad: number): PlannedBatch {
  const tokens = Math.max(...samples.map(({ sample }) => sample.ids.length));
  const ids = new Int32Array(samples.length * tokens).fill(pad);
  const labels = new Int32Array(samples.length * tokens).fill(IGNORED_LABEL);
  samples.forEach(({ sample }, row) => {
    ids.set(sample.ids, row * tokens);
    labels.set(sample.labels, row * tokens);
  });
  return { rows: samples.length, tokens, ids, labels, images: samples.flatMap(({ images }) => images) };
}

/** Refuses data of which a whole epoch was left out. */
export function refuseEmptyEpoch(leftOutInRow: number, source: SampleSource): void {
  if (leftOutInRow <= source.length) return;
  throw new ConfigError("leaves out every sample of an epoch", {
    where: "data",
    remedy: "loosen its filter, or make rows longer",
  });
}

/**
 * Updates in whose visits samples of like length are put together, so that little of a row is padding. Which samples
 * these are depends on where the window begins alone.
 */
const WINDOW_STEPS = 8;

/** Longest text that is a row of its own. */
const LONGEST_TEXT = 1024;

export interface PaddedOptions extends BatchOptions {
  /** Which samples are shown at first; the first entry that still holds does. */
  readonly curriculum?: readonly Lesson[];
}

/** A row of language data: one text. */
async function buildTextRow(source: SampleSource, visit: number): Promise<BuiltSample | null> {
  const ids = await source.buildText(visit, LONGEST_TEXT);
  if (ids === null) return null;
  return { sample: { ids, labels: ids, grids: [], images: [], imageFlags: [], spans: [] }, images: [] };
}

/**
 * Rows of like length together, the texts spread over all updates: an update of texts alone would pull the weights
 * away from drawing.
 */
function dealByLength(built: readonly BuiltSample[], updates: number): BuiltSample[][] {
  const sorted = built.toSorted((a, b) => a.sample.ids.length - b.sample.ids.length);
  const texts = sorted.filter(({ images }) => images.length === 0);
  const pictures = sorted.filter(({ images }) => images.length > 0);
  const rows = built.length / updates;
  let taken = 0;
  return Array.from({ length: updates }, (_, update) => {
    const own = texts.filter((_text, index) => index % updates === update);
    const others = pictures.slice(taken, taken + rows - own.length);
    taken += others.length;
    return [...own, ...others];
  });
}

const paddedPosition = z.strictObject({
  /** Updates so far. */
  step: z.int().min(0),
  /** Visits to each data set before the window under way. */
  visits: z.array(z.int().min(0)),
});

interface Window {
  readonly number: number;
  /** Batches of each update. */
  readonly steps: readonly (readonly PlannedBatch[])[];
  /** Visits to each data set at its end. */
  readonly visits: readonly number[];
}

/** One sample a row. */
export class PaddedBatches implements BatchStream {
  readonly #sources: readonly SampleSource[];
  readonly #options: PaddedOptions;
  #step = 0;
  /** Visits to each data set before the window under way. */
  #visits: readonly number[];
  #window: Window | undefined;
  #leftOut = 0;

  constructor(sources: readonly SampleSource[], options: PaddedOptions) {
    this.#sources = sources;
    this.#options = options;
    this.#visits = sources.map(() => 0);
  }

  get leftOut(): number {
    return this.#leftOut;
  }

  get lesson(): number | undefined {
    return this.#lessonAt(Math.floor(Math.max(0, this.#step - 1) / WINDOW_STEPS));
  }

  #lessonAt(window: number): number | undefined {
    const { curriculum = [] } = this.#options;
    const found = curriculum.findIndex(({ until }) => window * WINDOW_STEPS < until);
    return found < 0 ? undefined : found;
  }

  async next(): Promise<readonly PlannedBatch[]> {
    const number = Math.floor(this.#step / WINDOW_STEPS);
    if (this.#window?.number !== number) {
      if (this.#window !== undefined) this.#visits = this.#window.visits;
      this.#window = await this.#buildWindow(number);
    }
    return this.#window.steps[this.#step++ % WINDOW_STEPS]!;
  }

  position(): JsonValue {
    // Between two windows, the next one begins where the last one ended.
    const isBetween = this.#step % WINDOW_STEPS === 0 && this.#window !== undefined;
    return { step: this.#step, visits: isBetween ? this.#window!.visits : this.#visits };
  }

  restorePosition(position: JsonValue): void {
    const parsed = paddedPosition.safeParse(position);
    if (!parsed.success || parsed.data.visits.length !== this.#sources.length) {
      throw new DataFormatError("is no position in this data", { where: "position" });
    }
    this.#step = parsed.data.step;
    this.#visits = parsed.data.visits;
    this.#window = undefined;
  }

  async #buildWindow(number: number): Promise<Window> {
    const { seed, batch, accumulate, pad, curriculum } = this.#options;
    const rows = batch * accumulate;
    const visits = [...this.#visits];
    const mix = randomFor(seed, "mix", number);
    const lesson = this.#lessonAt(number);
    const numbers = lesson === undefined ? {} : curriculum?.[lesson]?.numbers;
    const weights = this.#sources.map(({ weight }) => weight);
    const built: BuiltSample[] = [];
    while (built.length < WINDOW_STEPS * rows) {
      const set = weights.length === 1 ? 0 : chooseWeighted(weights, () => mix.uniform());
      const source = this.#sources[set]!;
      let sample: BuiltSample | null = null;
      for (let leftOut = 0; sample === null; leftOut++) {
        refuseEmptyEpoch(leftOut, source);
        const visit = visits[set]!++;
        sample = await (source.type === "nlp" ? buildTextRow(source, visit) : source.build(visit, numbers));
        if (sample === null) this.#leftOut++;
      }
      built.push(sample);
    }
    const steps = dealByLength(built, WINDOW_STEPS).map((update) =>
      Array.from({ length: accumulate }, (_, part) =>
        padRows(update.slice(part * batch, (part + 1) * batch), pad),
      ),
    );
    return { number, steps: randomFor(seed, "window", number).shuffle(steps), visits };
  }
}
