/** @file Reading of training configs: JSON files checked field by field, unknown keys refused by name. */
import { readFile, stat } from "node:fs/promises";
import { z } from "zod";
import { ConfigError } from "../../errors.ts";
import { printable, quoted } from "../../formats/quoted.ts";
import { decodeText } from "../../formats/text.ts";
import { firstIssue, issueField } from "../data/schema-issue.ts";
import { scheduleSchema } from "../optimizer/schedule.ts";
import type { JsonValue } from "../plain-json.ts";
import { applyOverrides, type ConfigOverride } from "./config-overrides.ts";

/** A config is a page of JSON; anything near this is another file. */
const MAX_CONFIG_BYTES = 1 << 20;

export const adamWSchema = z.strictObject({
  learningRate: z.number().positive().default(1e-4),
  betas: z.tuple([z.number().min(0).lt(1), z.number().min(0).lt(1)]).default([0.9, 0.95]),
  epsilon: z.number().positive().default(1e-8),
  weightDecay: z.number().min(0).default(0.1),
});

export const muonSchema = z.strictObject({
  learningRate: z.number().positive().default(0.02),
  /** 0 to 1; the update looks ahead by one step of it. */
  momentum: z.number().min(0).lt(1).default(0.95),
  weightDecay: z.number().min(0).default(0),
});

/** Settings of the loop that both stages share. Periods count optimizer steps; 0 means never. */
export const loopSchema = z.strictObject({
  /** Batches whose gradients are averaged for one update. */
  accumulate: z.int().min(1).default(1),
  /** Gradients are scaled down to this global norm; null leaves them. */
  maxGradientNorm: z.number().positive().nullable().default(1),
  schedule: scheduleSchema.prefault({}),
  /** Decay of the moving average of the weights; null for none. With one, it is what the model folder holds. */
  ema: z.number().min(0).lt(1).nullable().default(null),
  logEvery: z.int().min(1).default(1),
  validateEvery: z.int().min(0).default(500),
  sampleEvery: z.int().min(0).default(500),
  saveEvery: z.int().min(0).default(500),
  /** Checkpoints that are kept, newest first; the best by validation is kept beside them. */
  keep: z.int().min(1).default(2),
  /** Whether figures are also written as TensorBoard event files, to `tensorboard/`. */
  tensorBoard: z.boolean().default(false),
});

export type LoopConfig = z.infer<typeof loopSchema>;

/** Share of the samples of a data set that may be unusable: they are left out and named; more end the run. */
export const maxFaultyShareSchema = z.number().min(0).max(1).default(0.05);

/** Engine settings. A run may be continued with others, which is told. */
export const engineSchema = z.strictObject({
  /** Threads of one operator; null: the machine's processors. */
  threads: z.int().min(1).nullable().default(null),
  /** Whether idle engine threads spin: faster alone, slower beside other work. */
  spin: z.boolean().default(false),
});

/**
 * Checks `json` against a schema and fills in defaults.
 * @throws ConfigError naming the field (`where: field`) and what is wrong with it.
 */
export function parseTrainConfig<S extends z.ZodType>(schema: S, json: unknown, where: string): z.output<S> {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const issue = firstIssue(result.error);
  if (issue === undefined) throw new ConfigError("is not valid", { where });
  const field = printable(issueField(issue));
  if (issue.code === "unrecognized_keys") {
    const names = issue.keys.map((key) => quoted(field === "" ? key : `${field}.${key}`)).join(", ");
    throw new ConfigError(`unknown key ${names}`, { where, remedy: "check its spelling or remove it" });
  }
  throw new ConfigError(`${field === "" ? "config" : field}: ${issue.message}`, { where });
}

/**
 * Reads a config file.
 * @param overrides settings that replace the file's.
 * @throws ConfigError when the file cannot be read, is no JSON, or does not fit the schema.
 */
export async function loadTrainConfig<S extends z.ZodType>(
  schema: S,
  file: string,
  overrides: readonly ConfigOverride[] = [],
): Promise<z.output<S>> {
  let text: string;
  try {
    const found = await stat(file);
    if (!found.isFile()) throw new ConfigError("is not a regular file");
    if (found.size > MAX_CONFIG_BYTES) throw new ConfigError(`${found.size} bytes are too many for a config`);
    text = decodeText(await readFile(file), "the config");
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError(reason, { where: file, remedy: "give the path of a JSON file", cause });
  }
  let json: JsonValue;
  try {
    json = JSON.parse(text) as JsonValue;
  } catch (cause) {
    throw new ConfigError(
      `is no JSON: ${printable(cause instanceof Error ? cause.message : String(cause))}`,
      {
        where: file,
        cause,
      },
    );
  }
  return parseTrainConfig(schema, applyOverrides(json, overrides), file);
}
