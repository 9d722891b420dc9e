/** @file Kind `packing`: training samples and the rows they are packed into, exactly (docs/nextstep-spec.md 4.1, 4.2). */
import { z } from "zod";
import { DataFormatError, UnsupportedError } from "../../../src/errors.ts";
import { PIXELS_PER_TOKEN } from "../../../src/image/pixels.ts";
import { gridOf } from "../../../src/sequence/segments.ts";
import type { TextTokenizer } from "../../../src/sequence/tokenizer.ts";
import { SamplePacker, TextPacker } from "../../../src/train/model/packing.ts";
import {
  editingSample,
  imageTextSample,
  interleavedSample,
  type TrainingSample,
  textIds,
} from "../../../src/train/model/training-sample.ts";
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
      input_ids: ids,
      labels: ids,
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
    const label = (name: string): string => `${index} ${name}`;
    if (item.data_type === "nlp") packText(item, tokenizer, check, label);
    else packSamples(item, tokenizer, check, label);
  }
}

function packText(
  item: Run,
  tokenizer: TextTokenizer,
  check: CaseCheck,
  label: (name: string) => string,
): void {
  const packer = new TextPacker(item.max_len);
  const rows = item.samples.flatMap(({ text, caption }) =>
    packer.push(textIds(tokenizer, text ?? caption ?? "")),
  );
  check.equal(
    label("rows"),
    rows,
    item.rows.map((row) => row.input_ids),
  );
  // Language rows are their own labels, and nothing of them is padding.
  check.equal(
    label("labels"),
    rows,
    item.rows.map((row) => row.labels),
  );
  const masks = item.rows.map((row) => row.attention_mask ?? row.input_ids.map(() => 1));
  check.equal(
    label("attention_mask"),
    rows.map((row) => row.map(() => 1)),
    masks,
  );
  if (item.left_over_ids !== undefined)
    check.equal(label("left_over_ids"), packer.state(), item.left_over_ids);
}

function packSamples(
  item: Run,
  tokenizer: TextTokenizer,
  check: CaseCheck,
  label: (name: string) => string,
): void {
  const packer = new SamplePacker<number>({
    maxLen: item.max_len,
    pad: tokenizer.specials.pad,
    grids: item.grids,
  });
  const rows = [];
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
  check.equal(label("number of rows"), rows.length, item.rows.length);
  for (const [index, expected] of item.rows.entries()) {
    const row = rows[index];
    if (row === undefined) continue;
    const shapes = row.grids.map(([h, w]) => [1, 3, h * PIXELS_PER_TOKEN, w * PIXELS_PER_TOKEN]);
    const computed: Record<string, unknown> = {
      input_ids: row.ids,
      labels: row.labels,
      attention_mask: row.ids.map(() => 1),
      image_flags: row.imageFlags,
      padding: row.padding,
      samples: row.sources,
      image_shapes: shapes,
    };
    for (const [name, value] of Object.entries(expected)) {
      check.equal(label(`row ${index} ${name}`), computed[name], value);
    }
  }
  if (item.left_over_lengths !== undefined) {
    check.equal(label("left_over_lengths"), Object.fromEntries(packer.waiting()), item.left_over_lengths);
  }
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
