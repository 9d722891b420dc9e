/**
 * @file The layout of converted folders: the very tensors that the block operators read, so that the engine maps them
 * where they lie. `quantization_config` holds `{"quant_method": "nextstep", "formats": {pattern: {"bits", "blockSize",
 * "symmetric"}}}`; a pattern is the name of a weight in which `*` stands for any one of the parts between dots.
 */
import { ModelFormatError } from "../../errors.ts";
import { isJsonObject } from "../../formats/json-file.ts";
import { quoted } from "../../formats/quoted.ts";
import type { RowRange } from "../../formats/tensor-source.ts";
import { dequantizeBlocks } from "../../model/block-quantization.ts";
import { type BlockFormat, packedShapes, scalesName, zeroPointsName } from "../../model/weight-format.ts";
import { bytesOf, bytesPerElement } from "../../tensor/dtype.ts";
import { toFloat32 } from "../../tensor/tensor.ts";
import type {
  QuantizedCheckpoint,
  QuantizedMatrix,
  QuantizedPart,
  QuantizedWeights,
  StoredTensors,
} from "./quantized-weights.ts";

export const NEXTSTEP_LAYOUT = "nextstep";

/** Every weight is compared with every pattern; converted folders have some ten. */
const MAX_PATTERNS = 1024;

/** Formats by pattern, as they stand in `quantization_config`. */
export type FormatTable = Readonly<Record<string, BlockFormat>>;

/** What a converted folder's config.json says under `quantization_config`. */
export function nextstepSettings(formats: FormatTable): object {
  return { quant_method: NEXTSTEP_LAYOUT, formats };
}

/** Stored tensors of a matrix [outputs, inputs]: as the graphs name and shape them. */
export function nextstepParts(
  weight: string,
  [outputs, inputs]: readonly [number, number],
  format: BlockFormat,
): QuantizedPart[] {
  const { packed, scales, zeroPoints } = packedShapes(format, outputs, inputs);
  return [
    { name: weight, dtype: "uint8", shape: packed },
    { name: scalesName(weight), dtype: "float32", shape: scales },
    ...(format.symmetric
      ? []
      : [{ name: zeroPointsName(weight), dtype: "uint8", shape: zeroPoints } as const]),
  ];
}

/** Wide elements first, so that every tensor of a file begins at a multiple of its element: others cannot be mapped. */
export function inMappableOrder<Form extends Pick<QuantizedPart, "dtype">>(tensors: readonly Form[]): Form[] {
  return tensors.toSorted((a, b) => bytesPerElement(b.dtype) - bytesPerElement(a.dtype));
}

/** Reads the settings of a converted folder. @throws ModelFormatError naming what is wrong with them. */
export function readNextstepLayout(checkpoint: QuantizedCheckpoint): QuantizedWeights {
  const { tensors, parameters } = checkpoint;
  const formats = readFormats(checkpoint);
  const unused = new Set(formats.keys());
  const matrices = new Map<string, QuantizedMatrix>();
  for (const { name, shape } of parameters) {
    const matching = [...formats.keys()].filter((pattern) => matchesPattern(name, pattern));
    const [pattern, second] = matching;
    if (pattern === undefined) continue;
    unused.delete(pattern);
    const where = `${checkpoint.where}.formats`;
    if (second !== undefined) {
      throw new ModelFormatError(`${quoted(pattern)} and ${quoted(second)} both name ${name}`, { where });
    }
    const [outputs, inputs] = shape;
    if (outputs === undefined || inputs === undefined || shape.length !== 2) {
      throw new ModelFormatError(`${quoted(pattern)} names ${name} [${shape}], which is no matrix`, {
        where,
      });
    }
    const format = formats.get(pattern) as BlockFormat;
    const parts = nextstepParts(name, [outputs, inputs], format);
    matrices.set(name, { shape: [outputs, inputs], format, parts });
  }
  const [stray] = unused;
  if (stray !== undefined) {
    throw new ModelFormatError(`${quoted(stray)} names no weight of this model`, {
      where: `${checkpoint.where}.formats`,
      remedy: "config.json and weights must come from the same conversion",
    });
  }
  return {
    layout: NEXTSTEP_LAYOUT,
    matrices,
    weightSource: tensors.weightSource,
    dequantize: (name, rows) => dequantize(tensors, name, matrices.get(name), rows),
  };
}

async function dequantize(
  tensors: StoredTensors,
  name: string,
  matrix: QuantizedMatrix | undefined,
  rows: RowRange | undefined,
): Promise<Float32Array> {
  if (matrix === undefined) throw new ModelFormatError(`has no matrix "${name}"`, { where: tensors.name });
  const { shape, format } = matrix;
  const bytes = async (part: string): Promise<Uint8Array> =>
    bytesOf((await tensors.readStored(part, rows)).data);
  const packed = {
    packed: await bytes(name),
    scales: toFloat32(await tensors.readStored(scalesName(name), rows)),
    zeroPoints: format.symmetric ? undefined : await bytes(zeroPointsName(name)),
  };
  return dequantizeBlocks(packed, rows?.count ?? shape[0], shape[1], format);
}

function readFormats({ settings, where }: QuantizedCheckpoint): ReadonlyMap<string, BlockFormat> {
  const { quant_method: _, formats, ...rest } = settings;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) {
    throw new ModelFormatError(`has a key ${quoted(unknown)}, which is not known`, {
      where,
      remedy: "the folder may come from a later version of this program",
    });
  }
  if (!isJsonObject(formats)) throw new ModelFormatError("has no object of formats", { where });
  const entries = Object.entries(formats);
  if (entries.length > MAX_PATTERNS) {
    throw new ModelFormatError(`${entries.length} formats are more than ${MAX_PATTERNS}`, { where });
  }
  return new Map(
    entries.map(([pattern, value]) => [pattern, readFormat(value, `${where}.formats.${quoted(pattern)}`)]),
  );
}

function readFormat(value: unknown, where: string): BlockFormat {
  const { bits, blockSize, symmetric, ...rest } = isJsonObject(value) ? value : {};
  if (Object.keys(rest).length > 0 || typeof symmetric !== "boolean") {
    throw new ModelFormatError("is not an object of bits, blockSize and symmetric", { where });
  }
  if (bits !== 4 && bits !== 8) throw new ModelFormatError("bits must be 4 or 8", { where });
  if (blockSize !== 32 && blockSize !== 64 && blockSize !== 128) {
    throw new ModelFormatError("blockSize must be 32, 64 or 128", { where });
  }
  return { bits, blockSize, symmetric };
}

/** `layers.*.mlp.up_proj.weight` matches that weight of every layer. */
export function matchesPattern(name: string, pattern: string): boolean {
  const [parts, wanted] = [name.split("."), pattern.split(".")];
  return parts.length === wanted.length && wanted.every((part, i) => part === "*" || part === parts[i]);
}
