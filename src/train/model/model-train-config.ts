/** @file Config of model training. The defaults are the published recipe where it says something. */
import { z } from "zod";
import { MAX_LAG } from "../../generate/settings.ts";
import {
  adamWSchema,
  engineSchema,
  loopSchema,
  maxFaultyShareSchema,
  muonSchema,
} from "../loop/train-config.ts";

const packingSchema = z.strictObject({
  /** Ids of a row. Samples are laid end to end and the rest is padding. */
  maxLength: z.int().positive().default(8192),
  /** Samples of a row do not see each other; published rows let later samples see earlier ones. */
  isolateSamples: z.boolean().default(false),
});

const captionSchema = z.strictObject({
  /** Keys of a sample's JSON that hold a text, a list of texts or an object of texts. */
  keys: z
    .array(z.union([z.string(), z.array(z.string())]))
    .min(1)
    .default(["caption"]),
  /** Weight of each key. */
  ratios: z.array(z.number().min(0)).default([1]),
  /** Filled with the caption, e.g. "a picture of {text}"; one is drawn at random. */
  templates: z.array(z.string()).default([]),
});

const captionsSchema = z.union([z.literal("weighted"), captionSchema]);

const filterSchema = z.strictObject({
  /** Least height and width of a sample's pictures, in pixels. */
  height: z.int().positive().optional(),
  width: z.int().positive().optional(),
  /** Least area in pixels, or least and largest. */
  area: z.union([z.number(), z.tuple([z.number(), z.number()])]).optional(),
  /** Largest ratio of the long side to the short one. */
  aspectRatio: z.number().min(1).optional(),
  keywords: z
    .array(z.strictObject({ word: z.string().min(1), dropProbability: z.number().min(0).max(1) }))
    .optional(),
  /** Numbers of the metadata: a positive bound is the least, a negative one (or 0) the largest, negated. */
  numbers: z.record(z.string(), z.number()).optional(),
});

/** Published kinds of data (docs/nextstep-spec.md 4.1). */
export const DATA_TYPES = ["image_text_pair", "image_editing", "interleave", "nlp"] as const;

export const dataSetSchema = z.strictObject({
  /** Tar, or folder of tars. */
  path: z.string().min(1),
  type: z.enum(DATA_TYPES).default("image_text_pair"),
  /** In place of the captions of the whole config. */
  captions: captionsSchema.optional(),
  filter: filterSchema.optional(),
  /** In place of that of the whole config. */
  dropCaption: z.number().min(0).max(1).optional(),
  /** Weight in the mix; the number of its samples unless given, 0 for none. May change when a run is continued. */
  samples: z.number().min(0).optional(),
});

export type DataSetConfig = z.infer<typeof dataSetSchema>;

const lessonSchema = z.strictObject({
  /** The update up to which it holds. */
  until: z.int().positive(),
  /** Bounds on numbers of the metadata, as in a filter. */
  numbers: z.record(z.string(), z.number()),
});

export type Lesson = z.infer<typeof lessonSchema>;

export const sampleSchema = z.strictObject({
  /** Prompts of the sample grid; none: no grids. */
  prompts: z.array(z.string().min(1)).max(64).default([]),
  guidance: z.number().min(1).default(3),
  steps: z.int().min(1).max(200).default(20),
});

export const modelTrainConfigSchema = z.strictObject({
  /** Run folder: checkpoints, samples, log, caches and the finished model. */
  output: z.string().min(1),
  /** Tar, or folder of tars, with captioned pictures; or several data sets that are mixed. */
  data: z.union([z.string().min(1), z.array(dataSetSchema).min(1)]),
  /** The same with held-out pictures; null for no validation. */
  validationData: z.string().min(1).nullable().default(null),
  /** Held-out samples that validation looks at, the first of the data. */
  validationSamples: z.int().positive().default(64),
  /** Folder of the frozen autoencoder, or of a model that holds one in `vae/`. */
  autoencoder: z.string().min(1),
  /** Model folder (or language model) whose weights training starts from; null: from scratch. */
  start: z.string().min(1).nullable().default(null),
  /**
   * Folder of tokenizer files, or how many tokens to learn from the captions (byte-level BPE; special tokens come on
   * top). Null: that of `start`.
   */
  textTokenizer: z
    .union([
      z.string().min(1),
      z.strictObject({
        tokens: z
          .int()
          .min(256)
          .max(1 << 20),
      }),
    ])
    .nullable()
    .default(null),
  /** Fields of config.json (docs/nextstep-spec.md 1.3); ids of special tokens come from the tokenizer. */
  model: z.record(z.string(), z.json()).default({}),
  /** Sides of a square picture, in pixels; a multiple of 16. */
  imageSize: z.int().positive().multipleOf(16).default(256),
  /** Crop to the nearest of the aspect buckets of this size; false: to squares. */
  aspectBuckets: z.boolean().default(true),
  seed: z.int().min(0).default(42),
  steps: z.int().positive(),
  /** Rows of a batch: packed rows, or samples where a row holds one. */
  batch: z.int().positive().default(2),
  /** Null: a row holds one sample, padded on the right, padding left out of attention and losses. */
  packing: packingSchema.nullable().prefault({}),
  /**
   * Published choice among keys of the sample's JSON, half of the captions capitalised; or "weighted": one of all
   * alternatives as written, by the weights that the sample gives them.
   */
  captions: captionsSchema.prefault({}),
  /** Probability that the caption stands behind the picture: drawn without it, and captioned. */
  dropText: z.number().min(0).max(1).default(0.3),
  /** Probability that the caption is left out: the form that guidance without a negative prompt compares with. */
  dropCaption: z.number().min(0).max(1).default(0),
  /** Noise on the image tokens that are read, not on the targets: strength uniform in 0 to this, for each picture. */
  readNoise: z.number().min(0).default(0),
  /**
   * Image tokens read in place of others: each is replaced, with a probability uniform in 0 to this for each picture,
   * by the token at the same place of another picture of the batch.
   */
  swapTokens: z.number().min(0).max(1).default(0),
  /**
   * Tokens by which a row of a picture that is learnt is ahead of the next one: it sees what it would see when it is drawn
   * staggered by as many. Null: raster order.
   */
  rowLag: z.int().min(1).max(MAX_LAG).nullable().default(null),
  /**
   * Which samples are shown at first, e.g. those of few subjects; the first entry that still holds does. Needs
   * `packing` null. May change when a run is continued.
   */
  curriculum: z.array(lessonSchema).default([]),
  /**
   * Holds of each backbone layer only what went into it, and computes the rest once more for the gradient: less memory, the
   * same numbers, a forward pass of the backbone more. May change when a run is continued.
   */
  gradientCheckpointing: z.boolean().default(false),
  maxFaultyShare: maxFaultyShareSchema,
  optimizer: adamWSchema.prefault({}),
  /**
   * Factors of the learning rates of weights by the beginnings of their names, e.g. `{"layers": 0.1, "embed_tokens": 0}`; the
   * longest that fits counts, and 0 freezes.
   */
  rates: z.record(z.string().min(1), z.number().min(0)).default({}),
  /** Muon for the matrices of backbone layers and head blocks; null: AdamW for all. */
  muon: muonSchema.nullable().default(null),
  loop: loopSchema.prefault({}),
  engine: engineSchema.prefault({}),
  samples: sampleSchema.prefault({}),
  /** Bound on latents kept in memory and on disk, in bytes; pictures beyond it are encoded when their batch comes. */
  cacheBytes: z
    .int()
    .min(0)
    .default(1024 * 1024 * 1024),
});

export type ModelTrainConfig = z.infer<typeof modelTrainConfigSchema>;
