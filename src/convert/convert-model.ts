/**
 * @file Converts a model's weights to integers in blocks, shard by shard. The result is a model folder when its
 * config.json is there, which is written last; until then its manifest says how far it has come, so that a conversion
 * that was broken off at any moment goes on behind the last shard that is whole.
 */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import {
  type ConversionBits,
  conversionFormats,
  formatOf,
} from "../checkpoint/quantized/conversion-formats.ts";
import {
  type FormatTable,
  nextstepParts,
  nextstepSettings,
} from "../checkpoint/quantized/nextstep-layout.ts";
import { QUANTIZATION_KEY } from "../checkpoint/quantized/read-quantized.ts";
import { InputError, ModelFormatError, refuseAborted } from "../errors.ts";
import { digestFile } from "../files/file-digest.ts";
import { lockFolder } from "../files/folder-lock.ts";
import { freeBytes, refuseFullDisk } from "../files/free-space.ts";
import { replaceText } from "../files/replacement-file.ts";
import type { FileFolder } from "../formats/file-folder.ts";
import { INDEX_FILE } from "../formats/safetensors-set.ts";
import { shardIndex } from "../formats/safetensors-writer.ts";
import type { ParameterSpec } from "../model/parameter-scope.ts";
import { copyMember } from "../node/write-model-folder.ts";
import { byteLength } from "../tensor/shape.ts";
import {
  type ConversionManifest,
  type FileDigest,
  MANIFEST_FILE,
  readManifest,
  relativeErrors,
  writeManifest,
} from "./conversion-manifest.ts";
import { type ConversionSource, readConversionSource } from "./conversion-source.ts";
import { convertShard } from "./convert-shard.ts";
import { QuantizePool } from "./quantize-pool.ts";
import type { ShardSource } from "./shard-source.ts";

/** No weight takes more where it stays a float. */
const FLOAT_BYTES = 4;

export interface ConversionRequest {
  /** The source as it was named, for the manifest. */
  readonly name: string;
  /** Of a repository. */
  readonly revision?: string;
  /** Configuration, index, tokenizer and autoencoder. */
  readonly files: FileFolder;
  readonly shards: ShardSource;
  /** Folder of the result. */
  readonly target: string;
  readonly bits: ConversionBits;
  /** Default: all processors. */
  readonly threads?: number;
  readonly signal?: AbortSignal;
  /** Told before anything large is written. */
  readonly onSpace?: (space: DiskSpace) => void;
  /** Bytes of the source's shards that are converted. */
  readonly onProgress?: (bytes: { readonly done: number; readonly total: number }) => void;
}

/** Of the result's disk, in bytes. */
export interface DiskSpace {
  /** What the result still takes, at most. */
  readonly result: number;
  /** What is taken at most on the way, the result included. */
  readonly peak: number;
  /** Whether shards are only read while they arrive, since the disk has no room for them. */
  readonly arriving: boolean;
  /** Null where the system does not say. */
  readonly free: number | null;
}

export interface Conversion {
  readonly folder: string;
  /** Of the source's shards, and of the result's. */
  readonly sourceBytes: number;
  readonly bytes: number;
  /** Relative errors, see {@link ConversionManifest}. */
  readonly errors: Readonly<Record<string, number>>;
  /** Shards that were there from an earlier run. */
  readonly kept: number;
}

/**
 * Converts, or goes on converting.
 * @throws InputError when the folder holds something else or the disk has no room; ModelFormatError or UnsupportedError
 * for a source that cannot be converted; AbortedError. What is whole stays.
 */
export async function convertModel(request: ConversionRequest): Promise<Conversion> {
  const { target, signal } = request;
  const source = await readConversionSource(request.files);
  refuseAborted(signal);
  await refuseForeign(target);
  await using _lock = await lockFolder(target, "converts");
  const manifest = await beginOrGoOn(request, source);
  const kept = Object.keys(manifest.shards).length;
  if (!manifest.complete) {
    const left = source.shards.filter((file) => manifest.shards[file] === undefined);
    await request.shards.prepare(left);
    const result = await bytesToWrite(source, manifest);
    const free = await freeBytes(target);
    const spare = (free ?? Number.POSITIVE_INFINITY) - result;
    const { bytes, arriving } = await request.shards.space(left, spare);
    request.onSpace?.({ result, peak: result + bytes, arriving, free: free ?? null });
    await refuseFullDisk(target, result + bytes);
    await copyCompanions(target, source, manifest);
    await convertShards(request, source, manifest, spare);
    await finish(target, source, manifest);
  }
  return conversionOf(target, manifest, kept);
}

/** What a manifest says of a conversion that is complete. */
function conversionOf(folder: string, { shards, errors }: ConversionManifest, kept: number): Conversion {
  const all = Object.values(shards);
  return {
    folder,
    sourceBytes: all.reduce((sum, { source }) => sum + source.bytes, 0),
    bytes: all.reduce((sum, { result }) => sum + result.bytes, 0),
    errors,
    kept,
  };
}

/**
 * The conversion that a folder holds, if it is complete and all its shards are there.
 * @throws ModelFormatError for a manifest that is damaged.
 */
export async function finishedConversion(
  target: string,
  bits: ConversionBits,
): Promise<Conversion | undefined> {
  const found = await readManifest(target);
  if (found?.complete !== true || found.method.bits !== bits) return undefined;
  const shards = await wholeShards(target, found);
  const count = Object.keys(shards).length;
  return count === Object.keys(found.shards).length ? conversionOf(target, found, count) : undefined;
}

/** The shards of a manifest whose files are there with all their bytes. */
async function wholeShards(target: string, manifest: ConversionManifest): Promise<OpenManifest["shards"]> {
  const shards: OpenManifest["shards"] = {};
  for (const [file, shard] of Object.entries(manifest.shards)) {
    const size = (await stat(join(target, file)).catch(() => undefined))?.size;
    if (size === shard.result.bytes) shards[file] = shard;
  }
  return shards;
}

/** A manifest that grows. */
type OpenManifest = { -readonly [Key in keyof ConversionManifest]: ConversionManifest[Key] };

/** @throws InputError for a folder that holds something else than a conversion. */
export async function refuseForeign(target: string): Promise<void> {
  const names: string[] = await readdir(target).catch(() => []);
  if (names.every((name) => name.startsWith(".")) || names.includes(MANIFEST_FILE)) return;
  throw new InputError("exists already and is no conversion", {
    where: target,
    remedy: "name a new folder",
  });
}

async function beginOrGoOn(request: ConversionRequest, source: ConversionSource): Promise<OpenManifest> {
  const { name, revision, target, bits } = request;
  const fresh: OpenManifest = {
    version: 1,
    complete: false,
    source: { name, ...(revision === undefined ? {} : { revision }), sha256: source.sha256 },
    method: { bits, fit: "search", formats: { ...conversionFormats(bits, source.parameters) } },
    errors: {},
    shards: {},
    files: {},
  };
  const found = await readManifest(target);
  if (found === undefined) {
    await writeManifest(target, fresh);
    return fresh;
  }
  if (found.source.sha256 !== fresh.source.sha256 || found.source.revision !== revision) {
    throw otherConversion(target, `of ${found.source.name}`);
  }
  if (JSON.stringify(found.method) !== JSON.stringify(fresh.method)) {
    throw otherConversion(target, `to ${found.method.bits} bits in other blocks or by another method`);
  }
  const shards = await wholeShards(target, found);
  const whole = Object.keys(shards).length === source.shards.length;
  return { ...found, shards, complete: found.complete && whole };
}

function otherConversion(target: string, what: string): InputError {
  return new InputError(`holds another conversion, ${what}`, {
    where: target,
    remedy: "name a new folder, or remove this one",
  });
}

/** At most: floats may be stored narrower. */
async function bytesToWrite(source: ConversionSource, manifest: OpenManifest): Promise<number> {
  const { formats } = manifest.method;
  const all = source.parameters.reduce((sum, parameter) => sum + storedBytes(parameter, formats), 0);
  const done = Object.values(manifest.shards).reduce((sum, { tensorBytes }) => sum + tensorBytes, 0);
  let copied = 0;
  for (const { folder, member } of source.companions) {
    const file = await folder.open(member);
    copied += file.byteLength;
    await file.close();
  }
  return Math.max(0, all - done) + copied;
}

function storedBytes({ name, shape }: ParameterSpec, formats: FormatTable): number {
  const format = formatOf(name, formats);
  if (format === undefined) return FLOAT_BYTES * byteLength("uint8", shape);
  const parts = nextstepParts(name, shape as readonly [number, number], format);
  return parts.reduce((sum, part) => sum + byteLength(part.dtype, part.shape), 0);
}

async function copyCompanions(
  target: string,
  source: ConversionSource,
  manifest: OpenManifest,
): Promise<void> {
  const files: Record<string, FileDigest> = {};
  for (const { folder, member, target: name } of source.companions) {
    const path = join(target, name);
    await copyMember(folder, member, path);
    files[name] = { bytes: (await stat(path)).size, sha256: await digestFile(path) };
  }
  manifest.files = files;
}

async function convertShards(
  { shards, target, threads, signal, onProgress }: ConversionRequest,
  source: ConversionSource,
  manifest: OpenManifest,
  spare: number,
): Promise<void> {
  const total = await shards.byteLength(source.shards);
  const doneBytes = (): number =>
    Object.values(manifest.shards).reduce((sum, shard) => sum + shard.source.bytes, 0);
  const left = source.shards.filter((file) => manifest.shards[file] === undefined);
  if (left.length === 0) return;
  const shapes = new Map(source.parameters.map(({ name, shape }) => [name, shape]));
  await using pool = new QuantizePool(threads);
  for await (const shard of shards.shards(left, spare)) {
    const before = doneBytes();
    const onRead = (bytes: number): void => onProgress?.({ done: before + bytes, total });
    onRead(0);
    const { method } = manifest;
    const converted = await convertShard({ shard, target, method, shapes, pool, signal, onRead });
    manifest.shards = { ...manifest.shards, [shard.file]: converted };
    manifest.errors = relativeErrors(Object.values(manifest.shards));
    await writeManifest(target, manifest);
    await shard.release();
  }
}

async function finish(target: string, source: ConversionSource, manifest: OpenManifest): Promise<void> {
  const { formats } = manifest.method;
  const shards = Object.entries(manifest.shards).sort(([a], [b]) => (a < b ? -1 : 1));
  const placed = shards.flatMap(([file, { tensors }]) => tensors.map((name) => [name, file] as const));
  const names = new Set(placed.map(([name]) => name));
  if (names.size !== placed.length) {
    throw new ModelFormatError("two shards hold the same tensor", { where: source.shards.join(", ") });
  }
  const lost = source.listed.find((name) => !names.has(name));
  if (lost !== undefined) {
    throw new ModelFormatError(`no shard holds tensor "${lost}", which the index lists`, {
      where: source.shards.join(", "),
      remedy: "fetch the checkpoint again",
    });
  }
  const bytes = shards.reduce((sum, [, { tensorBytes }]) => sum + tensorBytes, 0);
  await replaceText(join(target, INDEX_FILE), shardIndex(bytes, placed));
  const config = { ...source.configJson, [QUANTIZATION_KEY]: nextstepSettings(formats) };
  await replaceText(join(target, "config.json"), `${JSON.stringify(config, null, 2)}\n`);
  manifest.complete = true;
  await writeManifest(target, manifest);
}
