/**
 * @file Writes a model folder's copy with its linears as GPTQ, AWQ and AutoRound store them, integer by integer after
 * the published table: independent of what reads them.
 */
import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openModelFolder } from "../../src/checkpoint/model-folder.ts";
import { LocalFolder } from "../../src/files/local-folder.ts";
import { writeSafetensors } from "../../src/files/safetensors-files.ts";
import { INDEX_FILE } from "../../src/formats/safetensors-set.ts";
import type { TensorToWrite } from "../../src/formats/tensor-source.ts";
import { float16ToFloat32, float32ToFloat16 } from "../../src/tensor/half.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";

export type GroupedWords = "gptq" | "gptq_v2" | "awq";

export interface GroupedOptions {
  readonly words: GroupedWords;
  readonly bits: 4 | 8;
  /** -1: one a row. */
  readonly groupSize: number;
  readonly symmetric: boolean;
  /** Whole `quantization_config`. */
  readonly settings: object;
  /** Modules of another form. */
  readonly exceptions?: Readonly<Record<string, Pick<GroupedOptions, "bits" | "groupSize">>>;
  /** Default: every linear. */
  readonly quantizes?: (module: string) => boolean;
  /** Before all names, e.g. `model.`. Default "". */
  readonly prefix?: string;
  /** Adds a g_idx: as it would be without order of activations, or with one. */
  readonly groupIndex?: "sorted" | "shuffled";
  /** Changes the list before it is written. */
  readonly change?: (tensors: TensorToWrite[]) => TensorToWrite[];
  /** Files into which the tensors go. Default 1. */
  readonly shards?: number;
}

/** Integers, zero points and scales of a matrix. */
interface Groups {
  readonly outputs: number;
  readonly inputs: number;
  readonly groups: number;
  readonly groupSize: number;
  integer(output: number, input: number): number;
  zero(output: number, group: number): number;
  /** float16 as bits. */
  scale(output: number, group: number): number;
}

/** @returns what the stored matrices stand for, by the name of the float weight. */
export async function writeGrouped(
  source: string,
  target: string,
  options: GroupedOptions,
): Promise<ReadonlyMap<string, Float32Array>> {
  const {
    quantizes = () => true,
    prefix = "",
    change = (list) => list,
    shards = 1,
    exceptions = {},
  } = options;
  await cp(source, target, { recursive: true, filter: (path) => !isWeights(path) });
  await using folder = await openModelFolder(new LocalFolder(source));
  const meant = new Map<string, Float32Array>();
  const tensors: TensorToWrite[] = [];
  for (const tensor of folder.tensors.toWrite()) {
    const { name, shape } = tensor;
    const module = name.replace(/\.weight$/, "");
    const isLinear = name.endsWith(".weight") && shape.length === 2 && module !== "embed_tokens";
    if (!isLinear || !quantizes(module)) {
      tensors.push({ ...tensor, name: prefix + name });
      continue;
    }
    const [outputs, inputs] = shape as [number, number];
    const form = { ...options, ...exceptions[module] };
    const groups = roundToGroups(await folder.tensors.read(name), outputs, inputs, form);
    meant.set(name, meaning(groups));
    for (const [part, stored] of Object.entries(pack(groups, form))) {
      tensors.push({ name: `${prefix}${module}.${part}`, ...stored, load: () => stored });
    }
  }
  await writeShards(target, change(tensors), shards);
  const path = join(target, "config.json");
  const json: object = JSON.parse(await readFile(path, "utf8"));
  await writeFile(path, JSON.stringify({ ...json, quantization_config: options.settings }));
  return meant;
}

function isWeights(path: string): boolean {
  return /model(?:-\d+-of-\d+)?\.safetensors(?:\.index\.json)?$/.test(path) && !path.includes("vae");
}

async function writeShards(target: string, tensors: readonly TensorToWrite[], shards: number): Promise<void> {
  if (shards === 1) return writeSafetensors(join(target, "model.safetensors"), [...tensors]);
  const weight_map: Record<string, string> = {};
  for (let shard = 0; shard < shards; shard++) {
    const file = `part-${shard}.safetensors`;
    const own = tensors.filter((_, i) => i % shards === shard);
    for (const { name } of own) weight_map[name] = file;
    await writeSafetensors(join(target, file), own);
  }
  await writeFile(join(target, INDEX_FILE), JSON.stringify({ weight_map }));
}

function roundToGroups(
  values: Float32Array,
  outputs: number,
  inputs: number,
  { bits, groupSize: asked, symmetric }: GroupedOptions,
): Groups {
  const groupSize = asked === -1 ? inputs : Math.min(asked, inputs);
  const groups = Math.ceil(inputs / groupSize);
  const top = 2 ** bits - 1;
  const scales = new Uint16Array(outputs * groups);
  const integers = new Uint8Array(outputs * inputs);
  const zeros = new Uint8Array(outputs * groups);
  for (let output = 0; output < outputs; output++) {
    for (let group = 0; group < groups; group++) {
      const end = Math.min((group + 1) * groupSize, inputs);
      const part = values.subarray(output * inputs + group * groupSize, output * inputs + end);
      const [low, high] = [Math.min(0, ...part), Math.max(0, ...part)];
      const range = symmetric ? 2 * Math.max(-low, high) : high - low;
      const bitsOfScale = float32ToFloat16(Float32Array.of(range / top))[0]!;
      const scale = float16ToFloat32(Uint16Array.of(bitsOfScale))[0]!;
      const zero = scale === 0 || symmetric ? 2 ** (bits - 1) : Math.round(-low / scale);
      scales[output * groups + group] = bitsOfScale;
      // The first GPTQ format has no zero point of 0.
      const shift = Math.min(top, Math.max(1, zero));
      zeros[output * groups + group] = shift;
      for (let input = group * groupSize; input < end; input++) {
        const steps = scale === 0 ? 0 : Math.round(values[output * inputs + input]! / scale);
        integers[output * inputs + input] = Math.min(top, Math.max(0, steps + shift));
      }
    }
  }
  return {
    ...{ outputs, inputs, groups, groupSize },
    integer: (output, input) => integers[output * inputs + input]!,
    zero: (output, group) => zeros[output * groups + group]!,
    scale: (output, group) => scales[output * groups + group]!,
  };
}

/** scale * (integer - zero) in float32. [outputs, inputs] */
function meaning({ outputs, inputs, groupSize, integer, zero, scale }: Groups): Float32Array {
  return Float32Array.from({ length: outputs * inputs }, (_, i) => {
    const [output, input] = [Math.floor(i / inputs), i % inputs];
    const group = Math.floor(input / groupSize);
    const step = float16ToFloat32(Uint16Array.of(scale(output, group)))[0]!;
    return Math.fround(step * (integer(output, input) - zero(output, group)));
  });
}

/** Row, word and place in the word of each integer, by the table. */
function pack(values: Groups, { words, bits, groupIndex }: GroupedOptions): Record<string, Tensor> {
  const { outputs, inputs, groups, groupSize, integer, zero, scale } = values;
  const places = 32 / bits;
  const awqPlace = [0, 4, 1, 5, 2, 6, 3, 7];
  const awq = words === "awq";
  const weightShape = awq ? [inputs, outputs / places] : [inputs / places, outputs];
  const qweight = new Uint32Array(weightShape[0]! * weightShape[1]!);
  for (let output = 0; output < outputs; output++) {
    for (let input = 0; input < inputs; input++) {
      const [row, column, place] = awq
        ? [input, Math.floor(output / 8), awqPlace[output % 8]!]
        : [Math.floor(input / places), output, input % places];
      const word = row * weightShape[1]! + column;
      qweight[word] = (qweight[word]! | (integer(output, input) << (bits * place))) >>> 0;
    }
  }
  const qzeros = new Uint32Array((groups * outputs) / places);
  const scales = new Uint16Array(groups * outputs);
  for (let group = 0; group < groups; group++) {
    for (let output = 0; output < outputs; output++) {
      const stored = zero(output, group) - (words === "gptq" ? 1 : 0);
      const place = awq ? awqPlace[output % 8]! : output % places;
      const word = (group * outputs) / places + Math.floor(output / places);
      qzeros[word] = (qzeros[word]! | (stored << (bits * place))) >>> 0;
      scales[group * outputs + output] = scale(output, group);
    }
  }
  const int32 = (shape: readonly number[], data: Uint32Array): Tensor => ({
    dtype: "int32",
    shape,
    data: new Int32Array(data.buffer),
  });
  const tensors: Record<string, Tensor> = {
    qweight: int32(weightShape, qweight),
    qzeros: int32([groups, outputs / places], qzeros),
    scales: { dtype: "float16", shape: [groups, outputs], data: scales },
  };
  if (groupIndex !== undefined) {
    const index = Uint32Array.from({ length: inputs }, (_, input) => Math.floor(input / groupSize));
    if (groupIndex === "shuffled") index.reverse();
    tensors.g_idx = int32([inputs], index);
  }
  return tensors;
}
