/** @file A folder with an image autoencoder: config.json and its weights (docs/nextstep-spec.md 1.6). */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { ModelFormatError } from "../errors.ts";
import { openSafetensors } from "../formats/safetensors-set.ts";
import type { TensorSource } from "../formats/tensor-source.ts";
import { TorchArchive } from "../formats/torch-archive.ts";
import { type AutoencoderConfig, parseAutoencoderConfig } from "../model/autoencoder-config.ts";
import type { Release } from "../model/config.ts";
import { autoencoderParameters } from "../model/parameter-list.ts";
import { readConfigFile } from "./config-file.ts";
import { officialAutoencoderName } from "./official-names.ts";
import { compareTensors, type Problem, refuseFatal, unknownKeyProblems } from "./problem.ts";
import { TensorSet } from "./tensor-set.ts";

/** Weight files by preference: the published one, then what converters write. */
export const AUTOENCODER_FILES = [
  "checkpoint.pt",
  "checkpoint.safetensors",
  "model.safetensors",
  "diffusion_pytorch_model.safetensors",
] as const;

const CONFIG_FILE = "config.json";

/** Whether a folder looks like an autoencoder's at all. */
export async function holdsAutoencoder(path: string): Promise<boolean> {
  for (const name of [CONFIG_FILE, ...AUTOENCODER_FILES]) if (await isFile(join(path, name))) return true;
  return false;
}

export interface AutoencoderFolder extends AsyncDisposable {
  readonly path: string;
  readonly config: AutoencoderConfig;
  /** As stored, to be written back unchanged. */
  readonly configJson: unknown;
  readonly tensors: TensorSet;
  /** Which of {@link AUTOENCODER_FILES} was read. */
  readonly weightFile: string;
  readonly problems: readonly Problem[];
}

/**
 * Reads what is there without judging it: fatal problems are listed, not thrown.
 * @param release whose defaults missing keys take.
 * @throws InputError, ConfigError or ModelFormatError for files that cannot be read at all.
 */
export async function readAutoencoderFolder(path: string, release: Release): Promise<AutoencoderFolder> {
  const configPath = join(path, CONFIG_FILE);
  // The later published class goes by its defaults without the file, the first one refuses.
  const isOptional = release === "v1.1" && !(await isFile(configPath));
  const configJson = isOptional ? {} : await readConfigFile(configPath);
  const { config, unknownKeys } = parseAutoencoderConfig(configJson, configPath, release);
  const weightFile = await findWeights(path);
  const tensors = await openTensors(join(path, weightFile), config.multipliers.length);
  const problems = [
    ...compareTensors(autoencoderParameters(config), tensors),
    ...unknownKeyProblems(unknownKeys),
  ];
  return {
    path,
    config,
    configJson,
    tensors,
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
  path: string,
  release: Release = "v1.1",
): Promise<AutoencoderFolder> {
  const folder = await readAutoencoderFolder(path, release);
  try {
    refuseFatal(folder.problems, join(path, folder.weightFile));
    return folder;
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    throw error;
  }
}

async function findWeights(path: string): Promise<string> {
  for (const name of AUTOENCODER_FILES) {
    if (await isFile(join(path, name))) return name;
  }
  throw new ModelFormatError("holds no autoencoder weights", {
    where: path,
    remedy: `put ${AUTOENCODER_FILES[0]} beside its config.json`,
  });
}

async function openTensors(path: string, levels: number): Promise<TensorSet> {
  const source: TensorSource = path.endsWith(".pt")
    ? await TorchArchive.open(path)
    : await openSafetensors(path);
  try {
    return new TensorSet(source, (name, stored) => officialAutoencoderName(name, stored, levels));
  } catch (error) {
    await source.close();
    throw error;
  }
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isFile() ?? false;
}
