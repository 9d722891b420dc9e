/** @file A model folder in any published layout: configuration, weights, tokenizer, autoencoder (docs/nextstep-spec.md 1). */
import { ModelFormatError } from "../errors.ts";
import { type FileFolder, pathInside } from "../formats/file-folder.ts";
import { readJson } from "../formats/json-file.ts";
import { openWeights } from "../formats/safetensors-set.ts";
import { type NextStepConfig, parseNextStepConfig, publishedRelease, type Release } from "../model/config.ts";
import { GENERATION_GRID, generationPositions } from "../model/generation-position.ts";
import { modelParameters } from "../model/parameter-list.ts";
import type { ParameterSpec } from "../model/parameter-scope.ts";
import { type AutoencoderFolder, holdsAutoencoder, readAutoencoderFolder } from "./autoencoder-folder.ts";
import { officialModelName } from "./official-names.ts";
import { compareTensors, type Problem, refuseFatal, unknownKeyProblems } from "./problem.ts";
import { readQuantized } from "./quantized/read-quantized.ts";
import { refuseGguf } from "./refuse-gguf.ts";
import { TensorSet } from "./tensor-set.ts";

/** The table of the generation position embedding, which the first release stores among its weights. */
export const GENERATION_POSITIONS_NAME = "gen_pos_embed";

/** Names that official files may hold although the graphs never ask for them. */
export const STRAYS: ReadonlySet<string> = new Set([GENERATION_POSITIONS_NAME, "lm_head.weight"]);

const IMAGE_MODULES = /^image_(?:in_projector|out_projector|head)\./;

const CONFIG_FILE = "config.json";
const DEFAULT_AUTOENCODER_PATH = "vae";

export interface ModelFolder extends AsyncDisposable {
  readonly path: string;
  /** What was opened; also holds tokenizer.json and its companions. */
  readonly files: FileFolder;
  /** Of which release the configuration's key set is. */
  readonly release: Release;
  /** Biases and the extra layer before the LM head are as the weights have them, whatever config.json says. */
  readonly config: NextStepConfig;
  /** config.json as stored, to be written back unchanged. */
  readonly configJson: unknown;
  readonly tensors: TensorSet;
  /** Every weight that the graphs ask for, whether it is there or not. */
  readonly parameters: readonly ParameterSpec[];
  readonly autoencoder: AutoencoderFolder | undefined;
  /** False for a plain language model, whose image modules are still to be made (training start weights). */
  readonly hasImageModules: boolean;
  /** Of config.json. */
  readonly unknownKeys: readonly string[];
  /** Of model and configuration; the autoencoder lists its own. */
  readonly problems: readonly Problem[];
  /**
   * The generation position table [positions, hidden], or undefined if this model uses none. A stored table wins over
   * the formula, as in the published code, which loads it as a buffer.
   */
  generationPositions(): Promise<Float32Array | undefined>;
}

/**
 * Reads what is there without judging it: fatal problems are listed, not thrown.
 * @throws InputError, ConfigError or ModelFormatError for files that cannot be read at all, UnsupportedError for GGUF and
 * for weights quantized in a way that is not known here.
 */
export async function readModelFolder(folder: FileFolder): Promise<ModelFolder> {
  await refuseGguf(folder);
  const configPath = folder.pathOf(CONFIG_FILE);
  const configJson = await readJson(await folder.open(CONFIG_FILE));
  const parsed = parseNextStepConfig(configJson, configPath);
  const release = publishedRelease(configJson);
  const source = await openWeights(folder);
  try {
    const stored = new TensorSet(source, officialModelName);
    const config = followTensors(parsed.config, stored);
    const parameters = modelParameters(config);
    const quantized = await readQuantized(configJson, configPath, stored, parameters);
    const tensors = new TensorSet(source, officialModelName, quantized);
    const hasImageModules = [...tensors.entries.keys()].some((name) => IMAGE_MODULES.test(name));
    const problems = [
      ...compareTensors(parameters, tensors, STRAYS),
      ...generationTableProblems(config, tensors),
      ...unknownKeyProblems(parsed.unknownKeys),
      ...unknownKeyProblems(quantized?.unknownKeys ?? []),
    ];
    const found = await findAutoencoder(folder, config, problems);
    const autoencoder = found === undefined ? undefined : await readAutoencoderFolder(found, release);
    return {
      path: folder.path,
      files: folder,
      release,
      config,
      configJson,
      tensors,
      parameters,
      autoencoder,
      hasImageModules,
      unknownKeys: parsed.unknownKeys,
      problems,
      generationPositions: () => generationTable(config, tensors),
      async [Symbol.asyncDispose]() {
        await tensors.close();
        await autoencoder?.[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await source.close();
    throw error;
  }
}

export interface OpenOptions {
  /** Accept a language model without image modules, to start training from. Default false. */
  readonly startWeights?: boolean;
}

/**
 * Opens a model for use. Weights stay on disk until they are asked for.
 * @throws ModelFormatError when a tensor is missing or does not fit the configuration: nothing is ever filled in.
 */
export async function openModelFolder(files: FileFolder, options: OpenOptions = {}): Promise<ModelFolder> {
  const folder = await readModelFolder(files);
  try {
    if (!folder.hasImageModules && options.startWeights !== true) {
      throw new ModelFormatError("is a language model without image modules", {
        where: files.path,
        remedy: "use it as start weights of `nextstep train model`",
      });
    }
    const tolerated = (problem: Problem): boolean =>
      !folder.hasImageModules && problem.kind === "missing" && IMAGE_MODULES.test(problem.subject);
    refuseFatal(
      folder.problems.filter((problem) => !tolerated(problem)),
      files.path,
    );
    if (folder.autoencoder !== undefined) {
      const { files: vae, weightFile, problems } = folder.autoencoder;
      refuseFatal(problems, vae.pathOf(weightFile));
    }
    return folder;
  } catch (error) {
    await folder[Symbol.asyncDispose]();
    throw error;
  }
}

/** A bias exists exactly when its tensor does; configurations of different releases disagree on the defaults. */
export function followTensors(
  config: NextStepConfig,
  tensors: { has(name: string): boolean },
): NextStepConfig {
  return {
    ...config,
    attentionBias: tensors.has("layers.0.self_attn.q_proj.bias"),
    outputBias: tensors.has("layers.0.self_attn.o_proj.bias"),
    mlpBeforeLmHead: tensors.has("before_lm_head.weight") || tensors.has("before_lm_head.bias"),
  };
}

function generationTableProblems(config: NextStepConfig, tensors: TensorSet): Problem[] {
  const shape = tensors.entries.get(GENERATION_POSITIONS_NAME)?.shape;
  if (shape === undefined || !config.generationPositions) return [];
  if (shape.length === 3 && shape[0] === 1 && shape[2] === config.hiddenSize) return [];
  const detail = `has shape [${shape.join(", ")}], expected [1, positions, ${config.hiddenSize}]`;
  return [{ kind: "shape", subject: GENERATION_POSITIONS_NAME, detail, fatal: true }];
}

async function generationTable(
  config: NextStepConfig,
  tensors: TensorSet,
): Promise<Float32Array | undefined> {
  if (!config.generationPositions) return undefined;
  if (tensors.has(GENERATION_POSITIONS_NAME)) return tensors.read(GENERATION_POSITIONS_NAME);
  return generationPositions(GENERATION_GRID, config.hiddenSize);
}

/**
 * The autoencoder's folder: `vae_name_or_path` if that is one and inside this folder, else `vae/`, else none. A path
 * that leads elsewhere is the publisher's own and means nothing here.
 */
export async function findAutoencoder(
  folder: FileFolder,
  config: NextStepConfig,
  problems: Problem[],
): Promise<FileFolder | undefined> {
  const named = config.autoencoderPath;
  if (named !== undefined && named !== "") {
    const inside = pathInside(named);
    if (inside !== undefined && (await holdsAutoencoder(folder.folder(inside)))) return folder.folder(inside);
    const detail =
      inside === undefined ? "leads out of the folder and is not followed" : "names no autoencoder's folder";
    problems.push({ kind: "location", subject: "vae_name_or_path", detail, fatal: false });
  }
  const usual = folder.folder(DEFAULT_AUTOENCODER_PATH);
  return (await holdsAutoencoder(usual)) ? usual : undefined;
}
