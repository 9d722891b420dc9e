/** @file What a data set holds, counted: samples, picture sizes, aspect buckets, caption lengths, licences. */

import { AbortedError } from "../../errors.ts";
import { quoted } from "../../formats/quoted.ts";
import { chooseBucket } from "../../image/aspect-buckets.ts";
import { type SampleText, TarDataset } from "./dataset-reader.ts";
import { type PictureFacts, readHeader } from "./picture-header.ts";
import { onSample, SampleError } from "./sample-error.ts";
import { listTarSets } from "./tar-files.ts";

export interface DataStatsOptions {
  /** Size for which aspect buckets are counted; a multiple of 16. */
  readonly imageSize?: number;
  /** Counts the tokens of a caption, where a tokenizer is at hand. */
  readonly countTokens?: (caption: string) => number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}

/** Smallest, mean, 95th percentile and largest of some numbers; zeros when there are none. */
export interface Spread {
  readonly min: number;
  readonly mean: number;
  readonly p95: number;
  readonly max: number;
}

export interface DataStats {
  /** The tar, or the folder whose tars were counted. */
  readonly path: string;
  readonly tars: number;
  readonly samples: number;
  readonly images: number;
  readonly imageBytes: number;
  /** Pictures by size, "width x height". */
  readonly sizes: Readonly<Record<string, number>>;
  /** Pictures by aspect bucket at `imageSize`, "height x width" in pixels, as they are sized for training. */
  readonly buckets: Readonly<Record<string, number>>;
  readonly samplesWithoutCaption: number;
  /** Samples that cannot be read, and are not in the other counts; `checkData` names them. */
  readonly damagedSamples: number;
  /** All captions, the alternatives of a sample among them. */
  readonly captions: number;
  readonly captionCharacters: Spread;
  /** Present when a tokenizer counted them. */
  readonly captionTokens?: Spread;
  readonly licences: Readonly<Record<string, number>>;
}

const DEFAULT_IMAGE_SIZE = 256;
const UNKNOWN_LICENCE = "not stated";

/**
 * Counts what is in a tar, or in each folder at or below a path that holds tars (train/ and heldout/ apart).
 * Pictures are not decoded, only their headers read.
 * @throws InputError when there are no tars; DataFormatError for a damaged tar; AbortedError when cancelled.
 */
export async function dataStats(path: string, options: DataStatsOptions = {}): Promise<DataStats[]> {
  const stats: DataStats[] = [];
  for (const set of await listTarSets(path)) stats.push(await statsOfSet(set, options));
  return stats;
}

async function statsOfSet(path: string, options: DataStatsOptions): Promise<DataStats> {
  const { imageSize = DEFAULT_IMAGE_SIZE, countTokens, signal, onProgress } = options;
  await using data = await TarDataset.open(path, { cacheBytes: 0 });
  const sizes = new Tally();
  const buckets = new Tally();
  const licences = new Tally();
  const characters: number[] = [];
  const tokens: number[] = [];
  let imageBytes = 0;
  let samplesWithoutCaption = 0;
  let damagedSamples = 0;
  for (let index = 0; index < data.length; index++) {
    if (signal?.aborted) throw new AbortedError("counting was not finished", { where: path });
    onProgress?.({ done: index, total: data.length });
    const sample = await readSample(data, index);
    if (sample === undefined) {
      damagedSamples++;
      continue;
    }
    const { text, pictures } = sample;
    if (text.captions.length === 0) samplesWithoutCaption++;
    for (const caption of text.captions) {
      characters.push(caption.text.length);
      if (countTokens !== undefined) tokens.push(countTokens(caption.text));
    }
    const licence = text.metadata.licence ?? text.metadata.license;
    licences.add(typeof licence === "string" ? licence : UNKNOWN_LICENCE);
    for (const { width, height, byteLength } of pictures) {
      imageBytes += byteLength;
      sizes.add(`${width}x${height}`);
      buckets.add(chooseBucket([height, width], imageSize).gridPixels.join("x"));
    }
  }
  return {
    path,
    tars: data.tars.length,
    samples: data.length,
    images: sizes.total,
    imageBytes,
    sizes: sizes.counts(),
    buckets: buckets.counts(),
    samplesWithoutCaption,
    damagedSamples,
    captions: characters.length,
    captionCharacters: spreadOf(characters),
    ...(countTokens === undefined ? {} : { captionTokens: spreadOf(tokens) }),
    licences: licences.counts(),
  };
}

/** A sample with the sizes of its pictures; undefined for one that cannot be read. */
async function readSample(
  data: TarDataset,
  index: number,
): Promise<{ text: SampleText; pictures: readonly PictureFacts[] } | undefined> {
  try {
    const text = await data.textAt(index);
    const encoded = await data.encodedImagesAt(index);
    const pictures = await onSample(data.placeOf(index), () => Promise.all(encoded.map(readHeader)));
    return { text, pictures };
  } catch (error) {
    if (error instanceof SampleError) return undefined;
    throw error;
  }
}

/** Counts by name. */
class Tally {
  readonly #counts = new Map<string, number>();
  total = 0;

  add(name: string): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
    this.total++;
  }

  /** Most frequent first. */
  counts(): Record<string, number> {
    return Object.fromEntries([...this.#counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)));
  }
}

function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) return { min: 0, mean: 0, p95: 0, max: 0 };
  const sorted = Float64Array.from(values).sort();
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const p95 = sorted[Math.ceil(0.95 * sorted.length) - 1]!;
  return { min: sorted[0]!, mean: Number(mean.toFixed(2)), p95, max: sorted.at(-1)! };
}

/** Rows of a list that are printed before the rest is summed up. */
const MAX_ROWS = 12;

/** The statistics as lines of text. */
export function formatDataStats(stats: readonly DataStats[]): string {
  return stats.map(formatSet).join("\n");
}

function formatSet(set: DataStats): string {
  const tars = `${set.tars} ${set.tars === 1 ? "tar" : "tars"}`;
  const megabytes = (set.imageBytes / 1e6).toFixed(1);
  const lines = [
    set.path,
    `  ${set.samples} samples in ${tars}, ${set.images} pictures, ${megabytes} MB`,
    ...tallyLines("sizes (width x height)", set.sizes),
    ...tallyLines("aspect buckets (height x width)", set.buckets),
    `  captions: ${set.captions}; samples without one: ${set.samplesWithoutCaption}`,
    spreadLine("characters a caption", set.captionCharacters),
    ...(set.damagedSamples === 0
      ? []
      : [`  samples that cannot be read: ${set.damagedSamples} (nextstep data check names them)`]),
    ...(set.captionTokens === undefined ? [] : [spreadLine("tokens a caption", set.captionTokens)]),
    ...tallyLines("licences", set.licences),
  ];
  return `${lines.join("\n")}\n`;
}

/** As it is, unless a terminal would obey it. */
function plain(name: string): string {
  const shown = quoted(name);
  return shown === `"${name}"` ? name : shown;
}

function spreadLine(title: string, { min, mean, p95, max }: Spread): string {
  return `  ${title}: ${min} to ${max}, mean ${mean}, 95 % within ${p95}`;
}

function tallyLines(title: string, counts: Readonly<Record<string, number>>): string[] {
  const entries = Object.entries(counts);
  const rest = entries.slice(MAX_ROWS);
  const lines = entries.slice(0, MAX_ROWS).map(([name, count]) => `    ${plain(name)}: ${count}`);
  if (rest.length > 0) {
    const sum = rest.reduce((total, [, count]) => total + count, 0);
    lines.push(`    ${rest.length} others: ${sum}`);
  }
  return [`  ${title}:`, ...lines];
}
