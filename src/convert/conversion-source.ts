/** @file What is known of a checkpoint before its shards are: configuration, names of its tensors, companions. */
import { createHash } from "node:crypto";
import { findAutoencoder, followTensors, STRAYS } from "../checkpoint/model-folder.ts";
import { officialModelName } from "../checkpoint/official-names.ts";
import { type Problem, refuseFatal } from "../checkpoint/problem.ts";
import { QUANTIZATION_KEY } from "../checkpoint/quantized/read-quantized.ts";
import { refuseGguf } from "../checkpoint/refuse-gguf.ts";
import { ModelFormatError, UnsupportedError } from "../errors.ts";
import type { FileFolder } from "../formats/file-folder.ts";
import { isJsonObject, type JsonObject, readJson } from "../formats/json-file.ts";
import { AUTOENCODER_FILES, TOKENIZER_FILES } from "../formats/model-file-names.ts";
import { SafetensorsFile } from "../formats/safetensors.ts";
import { INDEX_FILE, readWeightMap, SINGLE_FILE } from "../formats/safetensors-set.ts";
import { NEXTSTEP_FILE } from "../generate/default-settings.ts";
import { type NextStepConfig, parseNextStepConfig } from "../model/config.ts";
import { modelParameters } from "../model/parameter-list.ts";
import type { ParameterSpec } from "../model/parameter-scope.ts";

const CONFIG_FILE = "config.json";

/** A file that goes over as it is. */
export interface Companion {
  readonly folder: FileFolder;
  readonly member: string;
  /** Name in the result. */
  readonly target: string;
}

export interface ConversionSource {
  readonly configJson: JsonObject;
  readonly parameters: readonly ParameterSpec[];
  /** Official names of the tensors that there should be. */
  readonly listed: readonly string[];
  /** Names of the shards, in the order of their names. */
  readonly shards: readonly string[];
  readonly companions: readonly Companion[];
  /** Of configuration and list of tensors. */
  readonly sha256: string;
}

/**
 * Reads a checkpoint's small files. The shards that an index names need not be there.
 * @throws ModelFormatError when tensors are missing, UnsupportedError when they are in blocks already, and what reading
 * the files throws.
 */
export async function readConversionSource(folder: FileFolder): Promise<ConversionSource> {
  await refuseGguf(folder);
  const configPath = folder.pathOf(CONFIG_FILE);
  const configJson = await readJson(await folder.open(CONFIG_FILE));
  const parsed = parseNextStepConfig(configJson, configPath);
  if (!isJsonObject(configJson)) throw new ModelFormatError("is no object", { where: configPath });
  if (isJsonObject(configJson[QUANTIZATION_KEY])) {
    throw new UnsupportedError("stores its weights in blocks already", {
      where: folder.path,
      remedy: "draw with it as it is, or convert the original weights",
    });
  }
  const shardOf = await tensorList(folder);
  const names = new Set(Array.from(shardOf.keys(), (stored) => officialModelName(stored).name));
  const config = followTensors(parsed.config, names);
  const parameters = modelParameters(config);
  refuseFatal(missing(parameters, names), folder.path);
  const list = [...shardOf].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    configJson,
    parameters,
    listed: [...names],
    shards: [...new Set(shardOf.values())].sort(),
    companions: await companionsOf(folder, config),
    sha256: createHash("sha256")
      .update(JSON.stringify([configJson, list]))
      .digest("hex"),
  };
}

/** Stored name of each tensor, and its shard. */
async function tensorList(folder: FileFolder): Promise<ReadonlyMap<string, string>> {
  if (await folder.has(INDEX_FILE)) return readWeightMap(await folder.open(INDEX_FILE));
  const file = await SafetensorsFile.read(await folder.open(SINGLE_FILE));
  await file.close();
  return new Map(Array.from(file.tensors.keys(), (name) => [name, SINGLE_FILE]));
}

function missing(parameters: readonly ParameterSpec[], names: ReadonlySet<string>): Problem[] {
  return parameters
    .filter(({ name }) => !names.has(name) && !STRAYS.has(name))
    .map(({ name, shape }) => ({
      kind: "missing",
      subject: name,
      detail: `is missing, expected [${shape.join(", ")}]`,
      fatal: true,
    }));
}

async function companionsOf(folder: FileFolder, config: NextStepConfig): Promise<Companion[]> {
  const companions: Companion[] = [];
  const add = async (from: FileFolder, member: string, target: string): Promise<boolean> => {
    const found = await from.has(member);
    if (found) companions.push({ folder: from, member, target });
    return found;
  };
  for (const name of [...TOKENIZER_FILES, NEXTSTEP_FILE]) await add(folder, name, name);
  const autoencoder = await findAutoencoder(folder, config, []);
  if (autoencoder !== undefined) {
    await add(autoencoder, CONFIG_FILE, `vae/${CONFIG_FILE}`);
    for (const name of AUTOENCODER_FILES) if (await add(autoencoder, name, `vae/${name}`)) break;
  }
  return companions;
}
