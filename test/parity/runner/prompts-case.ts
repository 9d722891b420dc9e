/** @file Kind `prompts`: the rows of generation requests, exactly (docs/nextstep-spec.md 3.1). */
import { z } from "zod";
import { UnsupportedError } from "../../../src/errors.ts";
import { PIXELS_PER_TOKEN } from "../../../src/image/pixels.ts";
import { pixelsPerLatent } from "../../../src/model/autoencoder-config.ts";
import { buildPromptRows, type PromptCode } from "../../../src/sequence/prompt.ts";
import type { CaseCheck } from "./case-check.ts";
import { type ParityCase, parseFields } from "./parity-case.ts";
import type { ParityContext } from "./parity-context.ts";

const pixelSize = z.tuple([z.int(), z.int()]);
const idRows = z.array(z.array(z.int()));

const fields = z.looseObject({
  entries: z.array(
    z.looseObject({
      code: z.string(),
      model: z.string(),
      // Defaults as published (docs/nextstep-spec.md 3.7).
      settings: z.looseObject({
        captions: z.union([z.array(z.string()), z.string().transform((caption) => [caption])]),
        images: z.array(pixelSize).nullable().default(null),
        num_images_per_caption: z.int().default(1),
        positive: z.string().nullable().default(null),
        negative: z.string().nullable().default(null),
        hw: pixelSize.default([256, 256]),
        cfg: z.number().default(1),
        cfg_img: z.number().default(1),
      }),
      rows: z.array(z.string()).optional(),
      image_sizes: z.array(pixelSize).nullable().optional(),
      input_ids: idRows.optional(),
      attention_mask: idRows.optional(),
    }),
  ),
});

/** Which published code wrote a prompt; samplers are named after their code (`P-B-sde`). */
export function promptCode(name: string): PromptCode {
  if (name.startsWith("P-A")) return "P-A";
  // The code shipped with NextStep-1.1 prepends the BOS token too (docs/nextstep-spec.md, opening table).
  if (name.startsWith("P-B") || name.startsWith("P-H11")) return "P-B";
  throw new UnsupportedError(`"${name}" is no published code`, { remedy: "P-A, P-B and P-H11 are known" });
}

export async function runPromptsCase(
  test: ParityCase,
  check: CaseCheck,
  context: ParityContext,
): Promise<void> {
  const { entries } = parseFields(fields, test.json, test.name);
  for (const [index, entry] of entries.entries()) {
    const { settings } = entry;
    const tokenizer = await context.tokenizer(entry.model);
    const prompt = buildPromptRows(tokenizer, {
      captions: settings.captions,
      images: settings.images,
      imagesPerCaption: settings.num_images_per_caption,
      positive: settings.positive,
      negative: settings.negative,
      size: settings.hw,
      cfg: settings.cfg,
      cfgImg: settings.cfg_img,
      code: promptCode(entry.code),
      pixelsPerToken: await pixelsPerToken(context, entry.model),
    });
    const label = (name: string): string => `${index} ${name}`;
    if (entry.rows !== undefined) {
      const texts = prompt.rows.map(({ text }) => text);
      check.equal(label("rows"), texts, entry.rows);
    }
    if (entry.image_sizes !== undefined) {
      const { images } = settings;
      const sizes = prompt.rows.flatMap((row) => row.images.map(({ image }) => images?.[image]));
      check.equal(label("image_sizes"), images === null ? null : sizes, entry.image_sizes);
    }
    if (entry.input_ids !== undefined) check.equal(label("input_ids"), prompt.inputIds, entry.input_ids);
    if (entry.attention_mask !== undefined) {
      check.equal(label("attention_mask"), prompt.attentionMask, entry.attention_mask);
    }
  }
}

/** A model without an autoencoder counts in the published 16 pixels. */
async function pixelsPerToken(context: ParityContext, model: string): Promise<number> {
  const { config, autoencoder } = await context.model(model);
  if (autoencoder === undefined) return PIXELS_PER_TOKEN;
  return pixelsPerLatent(autoencoder.config) * config.latentPatchSize;
}
