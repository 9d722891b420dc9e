/** @file A folder with an image autoencoder: config.json and its weights (docs/nextstep-spec.md 1.6). */
import { ModelFormatError } from "../errors.ts";
import type { FileFolder } from "../formats/file-folder.ts";
import { readJson } from "../formats/json-file.ts";
import { AUTOENCODER_FILES } from "../formats/model-file-names.ts";
import { SafetensorsFile } from "../formats/safetensors.ts";
import type { TensorSource } from "../formats/tensor-source.ts";
import { TorchArchive } from "../formats/torch-archive.ts";
import { type AutoencoderConfig, parseAutoencoderConfig } from "../model/autoencoder-config.ts";
import type { Release } from "../model/config.ts";
import { autoencoderParameters } from "../model/parameter-list.ts";
import type { ParameterSpec } from "../model/parameter-scope.ts";
import { officialAutoencoderName } from "./official-names.ts";
import { compareTensors, type Problem, refuseFatal, unknownKeyProblems } from "./problem.ts";
import { TensorSet } from "./tensor-set.ts";

const CONFIG_FILE = "config.json";

/** Whether a folder looks like an autoencoder's at all. */
export async function holdsAutoencoder(folder: FileFolder): Promise<boolean> {
  for (const name of [CONFIG_FILE, ...AUTOENCODER_FILES]) if (await folder.has(name)) return true;
  return false;
}

export interface AutoencoderFolder extends AsyncDisposable {
  readonly path: string;
  /** What was opened. */
  readonly files: FileFolder;
  readonly config: AutoencoderConfig;
  /** As stored, to be written back unchanged. */
  readonly configJson: unknown;
  readonly tensors: TensorSet;
  /** Every weight that the graphs ask for, whether it is there or not. */
  readonly parameters: readonly ParameterSpec[];
  /** Which of {@link AUTOENCODER_FILES} was read. */
  readonly weightFile: string;
  readonly problems: readonly Problem[];
}

/**
 * Reads what is there without judging it: fatal problems are listed, not thrown.
 * @param release whose defaults missing keys take.
 * @throws InputError, ConfigError or ModelFormatError for files that cannot be read at all.
 */
export async function readAutoencoderFolder(
  folder: FileFolder,
  release: Release,
): Promise<AutoencoderFolder> {
  const configPath = folder.pathOf(CONFIG_FILE);
  // The later published class goes by its defaults without the file, the first one refuses.
  const isOptional = release === "v1.1" && !(await folder.has(CONFIG_FILE));
  const configJson = isOptional ? {} : await readJson(await folder.open(CONFIG_FILE));
  const { config, unknownKeys } = parseAutoencoderConfig(configJson, configPath, release);
  const weightFile = await findWeights(folder);
  const tensors = await openTensors(folder, weightFile, config.multipliers.length);
  const parameters = autoencoderParameters(config);
  const problems = [...compareTensors(parameters, tensors), ...unknownKeyProblems(unknownKeys)];
  return {
    path: folder.path,
    files: folder,
    config,
    configJson,
    tensors,
    parameters,
    weightFile,
    problems,
    [Symbol.asyncDispose]: () => tensors.close(),
  };
}

/**
 * Opens an autoencoder for use.
 * @throws ModelFormatError when a tensor is missing or does not fit the configuration.
 */
export async function openAutoencoderFolder(
  folder: FileFolder,
  release: Release = "v1.1",
): Promise<AutoencoderFolder> {
  const autoencoder = await readAutoencoderFolder(folder, release);
  try {
    refuseFatal(autoencoder.problems, folder.pathOf(autoencoder.weightFile));
    return autoencoder;
  } catch (error) {
    await autoencoder[Symbol.asyncDispose]();
    throw error;
  }
}

async function findWeights(folder: FileFolder): Promise<string> {
  for (const name of AUTOENCODER_FILES) if (await folder.has(name)) return name;
  throw new ModelFormatError("holds no autoencoder weights", {
    where: folder.path,
    remedy: `put ${AUTOENCODER_FILES[0]} beside its config.json`,
  });
}

async function openTensors(folder: FileFolder, name: string, levels: number): Promise<TensorSet> {
  const bytes = await folder.open(name);
  const source: TensorSource = name.endsWith(".pt")
    ? await TorchArchive.read(bytes)
    : await SafetensorsFile.read(bytes);
  try {
    return new TensorSet(source, (stored, tensor) => officialAutoencoderName(stored, tensor, levels));
  } catch (error) {
    await source.close();
    throw error;
  }
}
