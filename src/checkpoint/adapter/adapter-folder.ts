/**
 * @file An adapter in PEFT's layout: `adapter_config.json`, and `adapter_model.safetensors` with a pair of matrices for each
 * linear, `base_model.model.MODULE.lora_A.weight` [rank, inputs] and `.lora_B.weight` [outputs, rank].
 */
import { ModelFormatError, UnsupportedError } from "../../errors.ts";
import type { FileFolder } from "../../formats/file-folder.ts";
import { readJson } from "../../formats/json-file.ts";
import { quoted } from "../../formats/quoted.ts";
import { SafetensorsFile } from "../../formats/safetensors.ts";
import { type AdapterLinear, downName, type LinearShape, upName } from "../../model/adapter.ts";
import { toFloat32 } from "../../tensor/tensor.ts";
import { officialModelName } from "../official-names.ts";
import { ADAPTER_CONFIG_FILE, isNamed, type PeftConfig, parsePeftConfig, scalingOf } from "./peft-config.ts";

export const ADAPTER_WEIGHTS_FILE = "adapter_model.safetensors";
const PICKLED_WEIGHTS_FILE = "adapter_model.bin";
export const ADAPTER_PREFIX = "base_model.model.";
const DOWN = downName("");
const UP = upName("");

/** SHA-256 in hexadecimal digits. */
type Sha256 = (bytes: Uint8Array) => Promise<string>;

export interface Adapter {
  /** Of the folder, for people. */
  readonly name: string;
  readonly path: string;
  /** Of both files: the same wherever the folder lies. */
  readonly digest: string;
  readonly linears: readonly AdapterLinear[];
}

/**
 * Reads all of an adapter.
 * @param shapes the linears that the model has.
 * @throws InputError for a folder that holds none; ModelFormatError for files that are damaged or of another model;
 * UnsupportedError naming what is not done here.
 */
export async function readAdapter(
  folder: FileFolder,
  shapes: readonly LinearShape[],
  sha256: Sha256,
): Promise<Adapter> {
  if (!(await folder.has(ADAPTER_WEIGHTS_FILE)) && (await folder.has(PICKLED_WEIGHTS_FILE))) {
    throw new UnsupportedError("is a pickle, which may run anything when it is read", {
      where: folder.pathOf(PICKLED_WEIGHTS_FILE),
      remedy: `save the adapter with safe_serialization=True, as ${ADAPTER_WEIGHTS_FILE}`,
    });
  }
  const configPath = folder.pathOf(ADAPTER_CONFIG_FILE);
  const config = parsePeftConfig(await readJson(await folder.open(ADAPTER_CONFIG_FILE)), configPath);
  const file = await SafetensorsFile.read(await folder.open(ADAPTER_WEIGHTS_FILE));
  try {
    const linears: AdapterLinear[] = [];
    for (const [module, pair] of pairsOf(file))
      linears.push(await readPair(file, module, pair, config, shapes));
    if (linears.length === 0) throw new ModelFormatError("holds no matrices", { where: file.name });
    return { name: folder.name, path: folder.path, digest: await digestOf(folder, sha256), linears };
  } finally {
    await file.close();
  }
}

interface Pair {
  down?: string;
  up?: string;
}

/** Stored names of the two matrices, by the module's stored name. */
function pairsOf(file: SafetensorsFile): ReadonlyMap<string, Pair> {
  const pairs = new Map<string, Pair>();
  for (const name of file.tensors.keys()) {
    const side = name.endsWith(DOWN) ? "down" : name.endsWith(UP) ? "up" : undefined;
    if (side === undefined || !name.startsWith(ADAPTER_PREFIX)) {
      throw new UnsupportedError(`holds ${quoted(name)}, which is no matrix of a linear's adapter`, {
        where: file.name,
        remedy: `names are ${ADAPTER_PREFIX}MODULE${DOWN} and ${UP}: train with LoRA on linears alone`,
      });
    }
    const module = name.slice(ADAPTER_PREFIX.length, -(side === "down" ? DOWN : UP).length);
    const pair = pairs.get(module) ?? {};
    pair[side] = name;
    pairs.set(module, pair);
  }
  return pairs;
}

async function readPair(
  file: SafetensorsFile,
  module: string,
  { down, up }: Pair,
  config: PeftConfig,
  shapes: readonly LinearShape[],
): Promise<AdapterLinear> {
  const where = file.name;
  const { name } = officialModelName(module);
  const shape = shapes.find((own) => own.name === name);
  if (shape === undefined) {
    throw new ModelFormatError(`adapts ${quoted(module)}, and the model has no such linear`, {
      where,
      remedy: "use the adapter with the model that it was trained on",
    });
  }
  if (down === undefined || up === undefined) {
    throw new ModelFormatError(`has one matrix of two for ${quoted(module)}`, { where });
  }
  if (config.targets !== undefined && !isNamed(module, config.targets)) {
    throw new ModelFormatError(`adapts ${quoted(module)}, which "target_modules" does not name`, { where });
  }
  const { rank, scale } = scalingOf(config, module);
  const read = async (stored: string, expected: readonly number[]): Promise<Float32Array> => {
    const found = file.tensors.get(stored)?.shape ?? [];
    if (found.join() !== expected.join()) {
      throw new ModelFormatError(
        `${quoted(stored)} is [${found.join(", ")}], and [${expected.join(", ")}] fits the model and "r"`,
        { where, remedy: "use the adapter with the model that it was trained on" },
      );
    }
    const data = toFloat32(await file.readTensor(stored));
    if (data.every(Number.isFinite)) return data;
    throw new ModelFormatError(`${quoted(stored)} holds numbers that are not finite`, { where });
  };
  return {
    ...shape,
    rank,
    scale,
    down: await read(down, [rank, shape.inputs]),
    up: await read(up, [shape.outputs, rank]),
  };
}

async function digestOf(folder: FileFolder, sha256: Sha256): Promise<string> {
  const parts: string[] = [];
  for (const name of [ADAPTER_CONFIG_FILE, ADAPTER_WEIGHTS_FILE]) {
    const source = await folder.open(name);
    try {
      parts.push(`${name} ${await sha256(await source.read(0, source.byteLength))}`);
    } finally {
      await source.close();
    }
  }
  return sha256(new TextEncoder().encode(parts.join("\n")));
}
