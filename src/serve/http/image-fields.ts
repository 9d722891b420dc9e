/** @file Fields that requests for pictures share, by OpenAI's names and those of the extensions. */
import { z } from "zod";
import { MAX_ADAPTERS } from "../../generate/adapter-mix.ts";
import { MAX_SEED } from "../../generate/settings.ts";
import { adapterChoice, type DrawRequest } from "../contract/draw-request.ts";
import { SETTING_FIELDS } from "./setting-fields.ts";
import { sizeField } from "./size-field.ts";

const previewCount = z.int().min(0).max(3);

const DEFAULT_OUTPUT: DrawRequest["output"] = { format: "png", quality: 100 };

/** What every request for pictures may say. */
export const PICTURE_FIELDS = {
  prompt: z.string().meta({ description: "What the picture is to show." }),
  model: z
    .string()
    .optional()
    .meta({ description: "A model that `/v1/models` lists. Default: the one that is served." }),
  n: z.int().min(1).default(1).meta({ description: "Pictures, with seeds `seed`, `seed + 1`, ..." }),
  size: sizeField,
  seed: z
    .int()
    .min(0)
    .max(MAX_SEED)
    .optional()
    .meta({ description: "Default: at random; told in the answer." }),
  think: z.boolean().default(false).meta({ description: "Has the model write down what it will draw." }),
  adapters: z
    .array(z.union([z.string(), adapterChoice.extend({ scale: adapterChoice.shape.scale.default(1) })]))
    .max(MAX_ADAPTERS)
    .default([])
    .meta({
      description: "Adapters that draw along: names that `/capabilities` lists, or names with a scale.",
    }),
  output_format: z.enum(["png", "jpeg", "webp"]).default(DEFAULT_OUTPUT.format),
  output_compression: z
    .int()
    .min(0)
    .max(100)
    .default(DEFAULT_OUTPUT.quality)
    .meta({ description: "Quality of jpeg and webp." }),
  ...SETTING_FIELDS,
};

/** Parameters of OpenAI's own that change nothing here: this model has no such choice. */
export const HARMLESS_FIELDS = {
  quality: z.enum(["auto", "low", "medium", "high", "standard", "hd"]).optional(),
  style: z.enum(["vivid", "natural"]).optional(),
  background: z
    .enum(["auto", "opaque", "transparent"])
    .optional()
    .meta({ description: "Pictures are opaque; the answer says so." }),
  moderation: z.enum(["auto", "low"]).optional(),
  user: z.string().optional(),
  input_fidelity: z.enum(["high", "low"]).optional(),
};

/** How a mask, and what is kept outside of it, is meant. */
export const MASK_FIELDS = {
  mask_opens: z.enum(["transparent", "white", "black"]).default("transparent").meta({
    description: "Which part of the mask is drawn anew.",
  }),
  paste_back: z.boolean().default(true).meta({
    description: "Puts exact source pixels back where they are kept.",
  }),
};

/** How OpenAI's routes answer. */
export const ANSWER_FIELDS = {
  response_format: z.enum(["b64_json", "url"]).default("b64_json"),
  stream: z.boolean().default(false),
  partial_images: previewCount.default(0),
};

export const previewsField = z
  .union([previewCount, z.literal("rows")])
  .default(0)
  .meta({ description: "Looks at the unfinished pictures, spread evenly; `rows`: one a row of tokens." });

/** PNG, and the best quality, where nothing is said. */
export function outputOf(fields: {
  readonly output_format?: DrawRequest["output"]["format"] | undefined;
  readonly output_compression?: number | undefined;
}): DrawRequest["output"] {
  const { output_format: format = DEFAULT_OUTPUT.format, output_compression: quality } = fields;
  return { format, quality: quality ?? DEFAULT_OUTPUT.quality };
}
