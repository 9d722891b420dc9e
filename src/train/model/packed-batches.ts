/** @file Batches of packed rows: data sets mixed row by row, rows grouped by aspect bucket (docs/nextstep-spec.md 4.2). */
import { z } from "zod";
import { DataFormatError } from "../../errors.ts";
import type { Grid } from "../../sequence/segments.ts";
import { type JsonValue, plainJson } from "../plain-json.ts";
import { randomFor } from "../step-random.ts";
import { BatchBucket } from "./batch-bucket.ts";
import { type BatchOptions, type BatchStream, type PlannedBatch, refuseEmptyEpoch } from "./batches.ts";
import { chooseWeighted } from "./mixing.ts";
import { SamplePacker, TextPacker } from "./packing.ts";
import type { PlannedImage, SampleSource } from "./samples.ts";

export interface PackedOptions extends BatchOptions {
  /** Ids of a row. */
  readonly maxLength: number;
  readonly isolateSamples: boolean;
  /** Grids that pictures may have. */
  readonly grids: readonly Grid[];
  readonly eos: number;
}

const integers = z.array(z.int());
const imageSchema = z.strictObject({
  set: z.int().min(0),
  sample: z.int().min(0),
  image: z.int().min(0),
  grid: z.tuple([z.int().positive(), z.int().positive()]).readonly(),
  predicted: z.boolean(),
});
const rowSchema = z.strictObject({
  /** Bucket of the row's images; null for text alone. */
  key: z.string().nullable(),
  ids: integers,
  labels: integers,
  images: z.array(imageSchema),
});
type Row = z.infer<typeof rowSchema>;

const sourceState = z.strictObject({ visit: z.int().min(0), packer: z.json(), rows: z.array(rowSchema) });
const positionSchema = z.strictObject({
  row: z.int().min(0),
  sources: z.array(sourceState),
  waiting: z.array(
    z.tuple([z.string(), z.array(z.strictObject({ row: rowSchema, hasImages: z.boolean() }))]),
  ),
});

/** Packs the samples of one data set. */
class RowSource {
  readonly #source: SampleSource;
  readonly #samples: SamplePacker<readonly PlannedImage[]>;
  readonly #texts: TextPacker;
  #visit = 0;
  #rows: Row[] = [];
  leftOut = 0;

  constructor(source: SampleSource, { maxLength, pad, grids }: PackedOptions) {
    this.#source = source;
    this.#samples = new SamplePacker({ maxLen: maxLength, pad, grids });
    this.#texts = new TextPacker(maxLength);
  }

  async next(): Promise<Row> {
    let leftOut = 0;
    for (;;) {
      const row = this.#rows.shift();
      if (row !== undefined) return row;
      const isTaken = this.#source.type === "nlp" ? await this.#readText() : await this.#readSample();
      leftOut = isTaken ? 0 : leftOut + 1;
      if (!isTaken) this.leftOut++;
      refuseEmptyEpoch(leftOut, this.#source);
    }
  }

  async #readText(): Promise<boolean> {
    const ids = await this.#source.buildText(this.#visit++);
    if (ids === null) return false;
    for (const row of this.#texts.push(ids))
      this.#rows.push({ key: null, ids: row, labels: row, images: [] });
    return true;
  }

  async #readSample(): Promise<boolean> {
    const built = await this.#source.build(this.#visit++);
    if (built === null) return false;
    const { refusal, rows } = this.#samples.push(built.sample, built.images);
    for (const { key, ids, labels, sources } of rows) {
      this.#rows.push({ key, ids: [...ids], labels: [...labels], images: sources.flat() });
    }
    return refusal === null;
  }

  state(): JsonValue {
    const packer = this.#source.type === "nlp" ? this.#texts.state() : this.#samples.state();
    return plainJson({ visit: this.#visit, packer, rows: this.#rows });
  }

  restore({ visit, packer, rows }: z.infer<typeof sourceState>): void {
    if (this.#source.type === "nlp") this.#texts.restore(packer);
    else this.#samples.restore(packer, (value) => z.array(imageSchema).parse(value));
    this.#visit = visit;
    this.#rows = rows;
  }
}

/** Several samples a row. */
export class PackedBatches implements BatchStream {
  readonly #sources: readonly RowSource[];
  readonly #weights: readonly number[];
  readonly #options: PackedOptions;
  readonly #waiting: BatchBucket<Row>;
  #row = 0;

  constructor(sources: readonly SampleSource[], options: PackedOptions) {
    this.#options = options;
    this.#weights = sources.map(({ weight }) => weight);
    this.#sources = sources.map((source) => new RowSource(source, options));
    this.#waiting = new BatchBucket({ batchSize: options.batch * options.accumulate, grids: options.grids });
  }

  readonly lesson = undefined;

  get leftOut(): number {
    return this.#sources.reduce((sum, { leftOut }) => sum + leftOut, 0);
  }

  async next(): Promise<readonly PlannedBatch[]> {
    const { batch, accumulate } = this.#options;
    for (;;) {
      const rng = randomFor(this.#options.seed, "mix", this.#row++);
      const random = (): number => rng.uniform();
      const set = this.#weights.length === 1 ? 0 : chooseWeighted(this.#weights, random);
      const row = await this.#sources[set]!.next();
      const rows = this.#waiting.push(row, row.key, random);
      if (rows === null) continue;
      return Array.from({ length: accumulate }, (_, part) =>
        this.#toBatch(rows.slice(part * batch, (part + 1) * batch)),
      );
    }
  }

  #toBatch(rows: readonly Row[]): PlannedBatch {
    const { maxLength: tokens, isolateSamples, eos } = this.#options;
    const planned = {
      rows: rows.length,
      tokens,
      ids: Int32Array.from(rows.flatMap(({ ids }) => ids)),
      labels: Int32Array.from(rows.flatMap(({ labels }) => labels)),
      images: rows.flatMap(({ images }) => images),
    };
    return isolateSamples ? { ...planned, samples: sampleNumbers(planned, eos) } : planned;
  }

  position(): JsonValue {
    const sources = this.#sources.map((source) => source.state());
    return { row: this.#row, sources, waiting: plainJson(this.#waiting.state().buckets) };
  }

  restorePosition(position: JsonValue): void {
    const parsed = positionSchema.safeParse(position);
    if (!parsed.success || parsed.data.sources.length !== this.#sources.length) {
      throw new DataFormatError("is no position in this data", { where: "position" });
    }
    const { row, sources, waiting } = parsed.data;
    this.#row = row;
    this.#sources.forEach((source, index) => {
      source.restore(sources[index]!);
    });
    this.#waiting.restore({ buckets: waiting });
  }
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
