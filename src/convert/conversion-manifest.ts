/** @file `conversion.json` of a converted folder: what it was made of, how, and how far it has come. */
import { z } from "zod";
import { ModelFormatError } from "../errors.ts";
import { LocalFolder } from "../files/local-folder.ts";
import { replaceText } from "../files/replacement-file.ts";
import { readJson } from "../formats/json-file.ts";

export const MANIFEST_FILE = "conversion.json";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const fileSchema = z.strictObject({ bytes: z.int().min(0), sha256 });
const sourceSchema = z.strictObject({
  /** Folder or repository, as it was named. */
  name: z.string(),
  /** Of a repository. */
  revision: z.string().optional(),
  /** Of config.json and the list of tensors by shard: what tells one source from another. */
  sha256,
});
const formatSchema = z.strictObject({
  bits: z.literal([4, 8]),
  blockSize: z.literal([32, 64, 128]),
  symmetric: z.boolean(),
});
const methodSchema = z.strictObject({
  bits: z.literal([4, 8]),
  /** How scales and zero points were chosen for blocks of 4 bits; those of 8 bits are rounded to nearest. */
  fit: z.literal(["nearest", "search"]),
  formats: z.record(z.string(), formatSchema),
});
const roundingSchema = z.strictObject({
  /** Of the squared differences. */
  squaredError: z.number().min(0),
  /** Of the squared weights. */
  squaredTotal: z.number().min(0),
});
const shardSchema = z.strictObject({
  source: fileSchema,
  result: fileSchema,
  /** Where each tensor of the result is listed from, in the order of the file. */
  tensors: z.array(z.string()),
  /** Of the tensors' data. */
  tensorBytes: z.int().min(0),
  /** By pattern of the weights' names. */
  rounding: z.record(z.string(), roundingSchema),
});
const manifestSchema = z.strictObject({
  version: z.literal(1),
  complete: z.boolean(),
  source: sourceSchema,
  method: methodSchema,
  /** Root of the mean squared error by that of the weights, by pattern; of the shards that are done. */
  errors: z.record(z.string(), z.number()),
  /** By name of the file, those that are done. */
  shards: z.record(z.string(), shardSchema),
  /** Copied as they are. */
  files: z.record(z.string(), fileSchema),
});

export type ConversionManifest = z.infer<typeof manifestSchema>;
export type ConvertedShard = z.infer<typeof shardSchema>;
export type FileDigest = z.infer<typeof fileSchema>;

/** The manifest of a folder; undefined if it has none. @throws ModelFormatError for one that is damaged. */
export async function readManifest(folder: string): Promise<ConversionManifest | undefined> {
  const files = new LocalFolder(folder);
  if (!(await files.has(MANIFEST_FILE))) return undefined;
  const parsed = manifestSchema.safeParse(await readJson(await files.open(MANIFEST_FILE)));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new ModelFormatError(`is no manifest: ${issue?.path.join(".")}: ${issue?.message}`, {
    where: files.pathOf(MANIFEST_FILE),
    remedy: "remove the folder and convert again",
  });
}

export function writeManifest(folder: string, manifest: ConversionManifest): Promise<void> {
  const text = `${JSON.stringify(manifest, null, 2)}\n`;
  return replaceText(new LocalFolder(folder).pathOf(MANIFEST_FILE), text);
}

/** Relative errors by pattern, over all shards. */
export function relativeErrors(shards: readonly ConvertedShard[]): Record<string, number> {
  const sums = new Map<string, { error: number; total: number }>();
  for (const { rounding } of shards) {
    for (const [pattern, { squaredError, squaredTotal }] of Object.entries(rounding)) {
      const sum = sums.get(pattern) ?? { error: 0, total: 0 };
      sums.set(pattern, { error: sum.error + squaredError, total: sum.total + squaredTotal });
    }
  }
  return Object.fromEntries(
    Array.from(sums, ([pattern, { error, total }]) => [pattern, total === 0 ? 0 : Math.sqrt(error / total)]),
  );
}
