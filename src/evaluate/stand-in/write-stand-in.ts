/**
 * @file Writes a stand-in for a published checkpoint: its names, shapes and types, with weights at random. So memory, time
 * and disk can be measured without the real weights.
 */
import { readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import {
  type ConversionBits,
  conversionFormats,
  formatOf,
} from "../../checkpoint/quantized/conversion-formats.ts";
import {
  type FormatTable,
  inMappableOrder,
  nextstepParts,
  nextstepSettings,
} from "../../checkpoint/quantized/nextstep-layout.ts";
import { QUANTIZATION_KEY } from "../../checkpoint/quantized/read-quantized.ts";
import { InputError, refuseAborted } from "../../errors.ts";
import { refuseFullDisk } from "../../files/free-space.ts";
import { makeFolder } from "../../files/make-folder.ts";
import { removeTemporaryFiles, replaceFile, replaceText } from "../../files/replacement-file.ts";
import { writeTorchArchive } from "../../files/torch-archive-file.ts";
import { writeFailure } from "../../files/write-failure.ts";
import { INDEX_FILE } from "../../formats/safetensors-set.ts";
import { layOutSafetensors, planShards, shardIndex } from "../../formats/safetensors-writer.ts";
import { parseAutoencoderConfig } from "../../model/autoencoder-config.ts";
import { parseNextStepConfig } from "../../model/config.ts";
import { autoencoderParameters, modelParameters } from "../../model/parameter-list.ts";
import type { ParameterSpec } from "../../model/parameter-scope.ts";
import { type BlockFormat, packedWeightOf, scalesName, zeroPointsName } from "../../model/weight-format.ts";
import { bytesOf, type DType, type TypedArray } from "../../tensor/dtype.ts";
import { byteLength } from "../../tensor/shape.ts";
import { StandInNoise } from "./stand-in-noise.ts";
import { type StandInShape, standInAutoencoderConfig, standInConfig, textIdsOf } from "./stand-in-shapes.ts";
import { standInTokenizer } from "./stand-in-tokenizer.ts";

/** Shards of the published checkpoints. */
const SHARD_BYTES = 5_000_000_000;
/** Elements made and written at a time. */
const PIECE = 1 << 24;
/** Says what a folder is going to be while it is not yet whole. */
const REQUEST_FILE = ".stand-in.json";

export interface StandInOptions {
  readonly shape: StandInShape;
  /** 16: bfloat16 as published. 4, 8: as `nextstep convert` leaves it. Default 16. */
  readonly bits?: ConversionBits | 16;
  /** Default: those of the shape. */
  readonly layers?: number;
  /** Of the layers' blocks, in place of what a conversion chooses. */
  readonly blocks?: Pick<BlockFormat, "blockSize" | "symmetric">;
  /** Decides every weight. Default 0. */
  readonly seed?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (bytes: { readonly done: number; readonly total: number }) => void;
}

export interface StandIn {
  readonly folder: string;
  /** Of the model's weights. */
  readonly bytes: number;
  readonly shards: number;
}

interface PlannedTensor {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/**
 * Writes the folder `target`. Broken off and started again with the same request, it keeps the shards that are whole.
 * @throws InputError when the folder holds anything else, or the disk has no room; AbortedError.
 */
export async function writeStandIn(target: string, options: StandInOptions): Promise<StandIn> {
  const { shape, layers, blocks, bits = 16, seed = 0, signal, onProgress } = options;
  const configJson = standInConfig(shape, layers);
  const parameters = modelParameters(parseNextStepConfig(configJson).config);
  const formats = bits === 16 ? {} : conversionFormats(bits, parameters, blocks);
  const tensors = parameters.flatMap((parameter) => storedAs(parameter, formats));
  const { shards } = planShards(
    tensors.map((tensor) => ({ ...tensor, load: unloaded })),
    SHARD_BYTES,
    target,
  );
  const plans = shards.map((shard) => ({ file: shard.file, tensors: inMappableOrder(shard.tensors) }));
  const total = tensors.reduce((sum, tensor) => sum + byteLength(tensor.dtype, tensor.shape), 0);
  await claim(target, JSON.stringify({ shape, layers, blocks, bits, seed }));
  const noise = new StandInNoise(seed);
  const matrices = new Map(parameters.map((parameter) => [parameter.name, parameter.shape]));
  let done = 0;
  for (const { file, tensors: members } of plans) {
    const path = join(target, file);
    const layout = layOutSafetensors(members, new Map([["format", "pt"]]));
    if ((await stat(path).catch(() => undefined))?.size !== layout.byteLength) {
      await refuseFullDisk(target, layout.byteLength);
      await replaceFile(path, async (sink) => {
        await sink.write(layout.header);
        for (const tensor of members) {
          for (const piece of pieces(noise, tensor, formats, matrices)) {
            refuseAborted(signal);
            await sink.write(bytesOf(piece));
            onProgress?.({ done: done + sink.position, total });
          }
        }
      });
    }
    done += layout.byteLength;
  }
  const placed = plans.flatMap(({ file, tensors: members }) =>
    members.map(({ name }) => [name, file] as const),
  );
  await replaceText(join(target, INDEX_FILE), shardIndex(total, placed));
  await writeCompanions(target, shape, noise);
  const settings = bits === 16 ? {} : { [QUANTIZATION_KEY]: nextstepSettings(formats) };
  await replaceText(
    join(target, "config.json"),
    `${JSON.stringify({ ...configJson, ...settings }, null, 2)}\n`,
  );
  await rm(join(target, REQUEST_FILE));
  return { folder: target, bytes: total, shards: plans.length };
}

function unloaded(): never {
  throw new InputError("is written in pieces", { where: "stand-in" });
}

function storedAs({ name, shape }: ParameterSpec, formats: FormatTable): readonly PlannedTensor[] {
  const format = formatOf(name, formats);
  if (format === undefined) return [{ name, dtype: "bfloat16", shape }];
  return nextstepParts(name, shape as readonly [number, number], format);
}

function pieces(
  noise: StandInNoise,
  { name, dtype, shape }: PlannedTensor,
  formats: FormatTable,
  matrices: ReadonlyMap<string, readonly number[]>,
): Iterable<TypedArray> {
  const count = byteLength("uint8", shape);
  if (dtype === "bfloat16") return noise.floats(name, dtype, shape, PIECE);
  const weight = packedWeightOf(name);
  const matrix = matrices.get(weight) as readonly [number, number];
  const bits = formatOf(weight, formats)?.bits ?? 4;
  if (name === zeroPointsName(weight)) return noise.zeroPoints(name, count, bits, PIECE);
  if (dtype === "uint8") return noise.integers(name, count, PIECE);
  return noise.scales(scalesName(weight), count, matrix, bits, PIECE);
}

/** Makes the folder, or finds it begun by the same request. */
async function claim(target: string, request: string): Promise<void> {
  await makeFolder(target).catch((error: unknown) => {
    throw writeFailure(error, target);
  });
  const names = await readdir(target);
  const path = join(target, REQUEST_FILE);
  if (names.length > 0) {
    const begun = await readFile(path, "utf8").catch(() => undefined);
    if (begun !== request) {
      throw new InputError(begun === undefined ? "exists already" : "was begun with other options", {
        where: target,
        remedy: "name a new folder",
      });
    }
    // What a process that was killed left half-written.
    await removeTemporaryFiles(target);
  }
  await replaceText(path, request);
}

async function writeCompanions(target: string, shape: StandInShape, noise: StandInNoise): Promise<void> {
  for (const [name, text] of standInTokenizer(textIdsOf(shape))) await replaceText(join(target, name), text);
  const configJson = standInAutoencoderConfig(shape);
  const { config } = parseAutoencoderConfig(configJson);
  const weights = autoencoderParameters(config).map(({ name, shape: sizes }) => ({
    name,
    dtype: "float32" as const,
    shape: sizes,
    load: () => {
      const [data] = noise.floats(name, "float32", sizes, byteLength("uint8", sizes));
      return { dtype: "float32" as const, shape: sizes, data: data as Float32Array };
    },
  }));
  await writeTorchArchive(join(target, "vae", "checkpoint.pt"), weights);
  await replaceText(join(target, "vae", "config.json"), `${JSON.stringify(configJson, null, 2)}\n`);
}
