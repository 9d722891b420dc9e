/** @file Config of preference training, and its named presets. */
import { z } from "zod";
import { isJsonObject, type JsonObject } from "../../formats/json-file.ts";
import { MAX_LAG } from "../../generate/settings.ts";
import { adapterSchema } from "../adapter/adapter-train-config.ts";
import { adamWSchema, engineSchema, loopSchema } from "../loop/train-config.ts";
import { sampleSchema } from "../model/model-train-config.ts";
import { UTILITIES } from "./preference-graph.ts";

/** Settings that hold where a config gives none. */
export const PREFERENCE_PRESETS: Readonly<Record<string, JsonObject>> = Object.freeze({
  /** NextStep-1 (arXiv 2508.10711, table of training stages). */
  published: {
    steps: 300,
    optimizer: { learningRate: 2e-6 },
    loop: { schedule: { name: "constant" } },
  },
});

const settingsSchema = z.strictObject({
  /** Settings that hold where none are given. */
  preset: z.enum(Object.keys(PREFERENCE_PRESETS)).nullable().default(null),
  /** Run folder. */
  output: z.string().min(1),
  /** Folder with pairs.jsonl. */
  pairs: z.string().min(1),
  /** The same with held-out pairs; null for no validation. */
  validationPairs: z.string().min(1).nullable().default(null),
  /** Folder of the model that training starts from, and whose drawings it is kept near. */
  base: z.string().min(1),
  /** An adapter beside the frozen base; null: all of its weights are trained. */
  adapter: adapterSchema.omit({ dropout: true }).nullable().default(null),
  utility: z.enum(UTILITIES).default("sigmoid"),
  /** How much a rise of the flow loss above the base's counts. */
  beta: z.number().positive().default(2000),
  /** Sides of a square picture, in pixels; null: those of the base. */
  imageSize: z.int().positive().multipleOf(16).nullable().default(null),
  aspectBuckets: z.boolean().default(true),
  /** Of the drawing order that pictures are learnt in; null: raster order. */
  rowLag: z.int().min(1).max(MAX_LAG).nullable().default(null),
  seed: z.int().min(0).default(42),
  steps: z.int().positive(),
  /** Pairs of a part of an update. */
  batch: z.int().positive().default(4),
  /** As in the config of model training. */
  gradientCheckpointing: z.boolean().default(false),
  optimizer: adamWSchema.prefault({}),
  loop: loopSchema.prefault({}),
  engine: engineSchema.prefault({}),
  samples: sampleSchema.prefault({}),
  /** Bound on tokens of pictures that are kept in memory and on disk, in bytes. */
  cacheBytes: z
    .int()
    .min(0)
    .default(1024 * 1024 * 1024),
  /** Refuses an adapter whose training would take more memory than there is. */
  checkMemory: z.boolean().default(true),
});

export const preferenceTrainConfigSchema = z.preprocess(withPreset, settingsSchema);

export type PreferenceTrainConfig = z.infer<typeof settingsSchema>;

function withPreset(json: unknown): unknown {
  if (!isJsonObject(json) || typeof json.preset !== "string") return json;
  const preset = Object.hasOwn(PREFERENCE_PRESETS, json.preset) ? PREFERENCE_PRESETS[json.preset] : undefined;
  return preset === undefined ? json : over(preset, json);
}

/** `json`, and what it leaves out of `below`, entry by entry. */
function over(below: JsonObject, json: JsonObject): JsonObject {
  const merged: Record<string, unknown> = { ...json };
  for (const [key, value] of Object.entries(below)) {
    const own = json[key];
    if (own === undefined) merged[key] = value;
    else if (isJsonObject(own) && isJsonObject(value)) merged[key] = over(value, own);
  }
  return merged;
}
