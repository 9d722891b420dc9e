/** @file Kind `packing`: training samples and the rows they are packed into, exactly (docs/nextstep-spec.md 4.1, 4.2). */
import { z } from "zod";
import { DataFormatError, UnsupportedError } from "../../../src/errors.ts";
import { PIXELS_PER_TOKEN } from "../../../src/image/pixels.ts";
import { type NextStepConfig, tokenWidth } from "../../../src/model/config.ts";
import { type Grid, gridOf } from "../../../src/sequence/segments.ts";
import type { TextTokenizer } from "../../../src/sequence/tokenizer.ts";
import { SamplePacker, TextPacker } from "../../../src/train/model/packing.ts";
import {
  editingSample,
  imageTextSample,
  interleavedSample,
  type TrainingSample,
  textIds,
} from "../../../src/train/model/training-sample.ts";
import { predictionCount, trainingFeeds } from "../../../src/train/objective/training-feeds.ts";
import type { CaseCheck } from "./case-check.ts";
import { type ParityCase, parseFields } from "./parity-case.ts";
import type { ParityContext } from "./parity-context.ts";

const ids = z.array(z.int());
const pair = z.tuple([z.int(), z.int()]);

const run = z.looseObject({
  tokenizer: z.string(),
  bos_token: z.string().nullable().optional(),
  data_type: z.string(),
  drop_text_prob: z.number().default(0),
  max_len: z.int().positive(),
  grids: z.array(pair).default([]),
  samples: z.array(
    z.looseObject({
      caption: z.string().optional(),
      text: z.string().optional(),
      images: z.array(pair).default([]),
    }),
  ),
  rows: z.array(
    z.looseObject({
      input_ids: ids.optional(),
      labels: ids.optional(),
      attention_mask: ids.optional(),
      image_flags: ids.optional(),
      padding: z.int().optional(),
      samples: ids.optional(),
      image_shapes: z.array(ids).optional(),
    }),
  ),
  per_sample: z
    .array(
      z.looseObject({
        sample: z.int(),
        input_ids: ids.optional(),
        labels: ids.optional(),
        image_flags: ids.optional(),
        key: z.string().nullable().optional(),
      }),
    )
    .default([]),
  left_over_lengths: z.record(z.string(), z.int()).optional(),
  left_over_ids: ids.optional(),
});
type Run = z.infer<typeof run>;

const fields = z.looseObject({ runs: z.array(run) });

export async function runPackingCase(
  test: ParityCase,
  check: CaseCheck,
  context: ParityContext,
): Promise<void> {
  const { runs } = parseFields(fields, test.json, test.name);
  for (const [index, item] of runs.entries()) {
    const tokenizer = await context.tokenizer(item.tokenizer, item.bos_token);
    const { config } = await context.model(item.tokenizer);
    const label = (name: string): string => `${index} ${name}`;
    const rows =
      item.data_type === "nlp"
        ? packText(item, tokenizer, check, label)
        : packSamples(item, tokenizer, check, label);
    compareRows(item, rows, config, check, label);
  }
}

/** A packed row, of text alone or of samples with images. */
interface Row {
  /** Aspect bucket; null for text alone. */
  readonly key: string | null;
  readonly ids: readonly number[];
  readonly labels: readonly number[];
  readonly grids: readonly Grid[];
  readonly imageFlags: readonly number[];
  readonly padding: number;
  /** Numbers of the samples in it; text runs on over the borders of rows and has none. */
  readonly sources?: readonly number[];
}

function compareRows(
  item: Run,
  rows: readonly Row[],
  config: NextStepConfig,
  check: CaseCheck,
  label: (name: string) => string,
): void {
  check.equal(label("number of rows"), rows.length, item.rows.length);
  for (const [index, expected] of item.rows.entries()) {
    const row = rows[index];
    if (row === undefined) continue;
    const computed: Record<string, unknown> = {
      key: row.key,
      input_ids: row.ids,
      labels: row.labels,
      attention_mask: attendedIn(config, row),
      image_flags: row.imageFlags,
      padding: row.padding,
      samples: row.sources,
      image_shapes: row.grids.map(([h, w]) => [1, 3, h * PIXELS_PER_TOKEN, w * PIXELS_PER_TOKEN]),
    };
    for (const [name, value] of Object.entries(expected)) {
      check.equal(label(`row ${index} ${name}`), computed[name], value);
    }
  }
}

/** 1 for each place that the last one attends to, as the mask says with which the row is trained. */
function attendedIn(config: NextStepConfig, { ids, labels, grids, imageFlags }: Row): number[] {
  const width = tokenWidth(config);
  const batch = {
    rows: 1,
    tokens: ids.length,
    ids: Int32Array.from(ids),
    labels: Int32Array.from(labels),
    images: grids.map(([height, columns], image) => {
      const tokens = new Float32Array(height * columns * width);
      return { tokens, read: tokens, predicted: imageFlags[image] !== 0 };
    }),
  };
  const times = predictionCount(config, batch) * config.headBatchMultiplier;
  const draws = { times: new Float32Array(times), noise: new Float32Array(times * width) };
  const mask = trainingFeeds(config, batch, draws).feeds.mask?.data as Float32Array;
  return Array.from(mask.subarray(-ids.length), (added) => (added === 0 ? 1 : 0));
}

function packText(
  item: Run,
  tokenizer: TextTokenizer,
  check: CaseCheck,
  label: (name: string) => string,
): Row[] {
  const packer = new TextPacker(item.max_len);
  const rows = item.samples.flatMap(({ text, caption }) =>
    packer.push(textIds(tokenizer, text ?? caption ?? "")),
  );
  if (item.left_over_ids !== undefined) {
    check.equal(label("left_over_ids"), packer.state(), item.left_over_ids);
  }
  // Text rows are their own labels, and nothing of them is padding.
  return rows.map((ids) => ({ key: null, ids, labels: ids, grids: [], imageFlags: [], padding: 0 }));
}

function packSamples(
  item: Run,
  tokenizer: TextTokenizer,
  check: CaseCheck,
  label: (name: string) => string,
): Row[] {
  const packer = new SamplePacker<number>({
    maxLen: item.max_len,
    pad: tokenizer.specials.pad,
    grids: item.grids,
  });
  const rows: Row[] = [];
  for (const [index, sample] of item.samples.entries()) {
    const built = buildSample(item, tokenizer, sample);
    const pushed = packer.push(built, index);
    rows.push(...pushed.rows);
    const expected = item.per_sample.find((one) => one.sample === index);
    const named = (name: string): string => label(`sample ${index} ${name}`);
    if (expected?.input_ids !== undefined) check.equal(named("input_ids"), built.ids, expected.input_ids);
    if (expected?.labels !== undefined) check.equal(named("labels"), built.labels, expected.labels);
    if (expected?.image_flags !== undefined) {
      check.equal(named("image_flags"), built.imageFlags, expected.image_flags);
    }
    if (expected?.key !== undefined) check.equal(named("key"), pushed.key, expected.key);
  }
  if (item.left_over_lengths !== undefined) {
    check.equal(label("left_over_lengths"), Object.fromEntries(packer.waiting()), item.left_over_lengths);
  }
  return rows;
}

function buildSample(item: Run, tokenizer: TextTokenizer, sample: Run["samples"][number]): TrainingSample {
  const { caption = sample.text ?? "" } = sample;
  const grids = sample.images.map((size) => gridOf(size, "image"));
  switch (item.data_type) {
    case "image_text_pair": {
      const [grid] = grids;
      if (grid === undefined) throw new DataFormatError("a pair without an image", { where: "samples" });
      if (item.drop_text_prob !== 0 && item.drop_text_prob !== 1) {
        throw new UnsupportedError("which captions were dropped is not in the case", {
          where: "drop_text_prob",
          remedy: "use 0 or 1",
        });
      }
      return imageTextSample(tokenizer, caption, grid, { dropText: item.drop_text_prob === 1 });
    }
    case "image_editing":
      return editingSample(tokenizer, caption, grids);
    case "interleave": {
      const maxImageTokens = item.grids.reduce((most, [h, w]) => Math.max(most, h * w), 1);
      return interleavedSample(tokenizer, caption, grids, {
        maxLen: item.max_len,
        maxImageTokens,
        random: () => {
          throw new UnsupportedError("which images were left out is not in the case", { where: "samples" });
        },
      });
    }
    default:
      throw new UnsupportedError(`data type "${item.data_type}"`, { where: "data_type" });
  }
}
