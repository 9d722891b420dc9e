/** @file What is evaluated: a model with its autoencoder, or an autoencoder alone. */
import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { openAutoencoderFolder } from "../../checkpoint/autoencoder-folder.ts";
import { isAutoencoderConfig } from "../../checkpoint/inspect-json.ts";
import { openModelFolder } from "../../checkpoint/model-folder.ts";
import { ModelFormatError } from "../../errors.ts";
import { digestFile } from "../../files/file-digest.ts";
import { LocalFolder } from "../../files/local-folder.ts";
import { readJson } from "../../formats/json-file.ts";
import type { Model } from "../../generate/model.ts";
import { type AutoencoderConfig, pixelsPerLatent } from "../../model/autoencoder-config.ts";
import { defaultModelPath } from "../../node/default-model.ts";
import { open } from "../../node/open-model.ts";
import type { Engine } from "../../runtime/engine.ts";
import { readAutoencoderWeights } from "../../train/autoencoder/autoencoder-start-weights.ts";
import { Reconstructor } from "../../train/autoencoder/autoencoder-validation.ts";
import { CANVAS_SIDE } from "../../train/data/emoji/emoji-render.ts";
import type { NamedBuffer } from "../../train/optimizer/trainable.ts";

/** Files of a model folder that decide what is drawn. */
const DECIDING = /\.(?:json|txt|safetensors|pt)$/;

export interface EvaluatedModel extends AsyncDisposable {
  readonly name: string;
  /** Of all files that decide what is drawn. */
  readonly sha256: string;
  /** Undefined for an autoencoder alone. */
  readonly model: Model | undefined;
  /** Trained elements of the transformer and of the autoencoder. */
  readonly parameters: { readonly transformer: number; readonly autoencoder: number };
  /** Of the square pictures that it draws, in pixels. */
  readonly side: number;
  readonly reconstructor: Reconstructor;
  readonly weights: readonly NamedBuffer[];
}

interface Described {
  readonly autoencoder: AutoencoderConfig;
  readonly autoencoderPath: string;
  readonly transformer: number;
  readonly side: number;
}

/**
 * Opens a folder for evaluation.
 * @param path of a model folder or an autoencoder's; the package's model without it.
 * @param engine runs the autoencoder.
 * @throws InputError, ConfigError or ModelFormatError for a folder that is neither, or a model without autoencoder.
 */
export async function openEvaluated(
  engine: Engine,
  path = defaultModelPath(),
  threads?: number,
): Promise<EvaluatedModel> {
  const files = new LocalFolder(path);
  const isAlone = isAutoencoderConfig(await readJson(await files.open("config.json")));
  const described = isAlone ? await describeAutoencoder(files) : await describeModel(files);
  const { autoencoder, autoencoderPath, side, transformer } = described;
  const weights = await readAutoencoderWeights(autoencoderPath, autoencoder);
  const reconstructor = await Reconstructor.create(engine, autoencoder, side);
  const model = isAlone ? undefined : await open(path, threads === undefined ? {} : { threads });
  return {
    name: files.name,
    sha256: await digestOf(path, isAlone ? [] : ["vae"]),
    model,
    parameters: { transformer, autoencoder: weights.reduce((sum, { data }) => sum + data.length, 0) },
    side,
    reconstructor,
    weights,
    [Symbol.asyncDispose]: async () => model?.close(),
  };
}

async function describeAutoencoder(files: LocalFolder): Promise<Described> {
  await using folder = await openAutoencoderFolder(files);
  return { autoencoder: folder.config, autoencoderPath: files.path, transformer: 0, side: CANVAS_SIDE };
}

async function describeModel(files: LocalFolder): Promise<Described> {
  await using folder = await openModelFolder(files);
  if (folder.autoencoder === undefined) {
    throw new ModelFormatError("has no autoencoder", { where: files.path, remedy: "put it in its vae/" });
  }
  const elements = [...folder.tensors.entries.values()].map(({ shape }) => shape.reduce((a, b) => a * b, 1));
  const autoencoder = folder.autoencoder.config;
  return {
    autoencoder,
    autoencoderPath: folder.autoencoder.path,
    transformer: elements.reduce((a, b) => a + b, 0),
    side: folder.config.latentSize * pixelsPerLatent(autoencoder),
  };
}

async function digestOf(path: string, folders: readonly string[]): Promise<string> {
  const hash = createHash("sha256");
  for (const folder of ["", ...folders]) {
    for (const name of (await readdir(join(path, folder))).sort()) {
      if (!DECIDING.test(name)) continue;
      hash.update(`${folder}/${name} ${await digestFile(join(path, folder, name))}\n`);
    }
  }
  return hash.digest("hex");
}
