/** @file Tells what a file or folder holds, whichever of the formats in use it is. */
import { ModelFormatError, NextStepError } from "../errors.ts";
import { PARAMETERS_KEYWORD, parseParameters } from "../formats/a1111.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import type { FileFolder } from "../formats/file-folder.ts";
import { isJsonObject, readJson } from "../formats/json-file.ts";
import { isPng, readPngChunks } from "../formats/png.ts";
import { findPngText, RECIPE_KEYWORD, readPngTexts } from "../formats/png-text.ts";
import { SafetensorsFile } from "../formats/safetensors.ts";
import { SafetensorsSet } from "../formats/safetensors-set.ts";
import { readTarIndex } from "../formats/tar.ts";
import { groupTarSamples } from "../formats/tar-sample.ts";
import type { TensorSource } from "../formats/tensor-source.ts";
import { TorchArchive } from "../formats/torch-archive.ts";
import { readDigitalSourceType, XMP_KEYWORD } from "../formats/xmp.ts";
import type { Zlib } from "../formats/zlib.ts";
import { parseAutoencoderConfig } from "../model/autoencoder-config.ts";
import { parseNextStepConfig, type Release } from "../model/config.ts";
import { loadTokenizer } from "../sequence/tokenizer.ts";
import { type AutoencoderFolder, readAutoencoderFolder } from "./autoencoder-folder.ts";
import type {
  AutoencoderInspection,
  ConfigInspection,
  Inspection,
  ModelInspection,
  PictureInspection,
  TarInspection,
  WeightsInspection,
} from "./inspection.ts";
import { readModelFolder } from "./model-folder.ts";
import { type Problem, unknownKeyProblems } from "./problem.ts";
import { countParts, listNamed, listStored } from "./tensor-listing.ts";

/** Bytes by which a file is recognised: past the magic number in a tar's first header. */
const HEAD_BYTES = 262;
const TAR_MAGIC_OFFSET = 257;
const ZIP_MAGIC = "PK\x03\x04";
/** A safetensors header follows eight bytes of length and is a JSON object. */
const SAFETENSORS_BRACE = 8;
/** A picture is read whole for its texts. */
const MAX_PICTURE_BYTES = 256 * 1024 * 1024;
const CONFIG_FILE = "config.json";
const FIRST_KEYS = 5;
/** For faults whose finder knows none of its own. */
const USUAL_REMEDY = "the file is damaged or was changed by hand: fetch it again";

/** Keys that only an autoencoder's configuration has. */
const AUTOENCODER_KEYS = ["ch_mult", "z_channels", "num_res_blocks"] as const;

/** What is inspected: a folder, or a file of the folder `beside`, where the shards of an index lie. */
export type Place =
  | { readonly kind: "folder"; readonly folder: FileFolder }
  | { readonly kind: "file"; readonly beside: FileFolder; readonly member: string };

/**
 * Recognises a file by its content, not its name: safetensors, their index, torch archives, tars, PNG pictures and
 * configurations; folders by their config.json. A model folder whose tensors are missing or do not fit is still
 * described, with fatal problems.
 * @throws InputError if there is nothing to read, or a typed error with reason and remedy if it is damaged.
 */
export async function inspect(place: Place, zlib: Pick<Zlib, "inflate">): Promise<Inspection> {
  try {
    return place.kind === "folder" ? await inspectFolder(place.folder) : await inspectFile(place, zlib);
  } catch (error) {
    if (!(error instanceof NextStepError) || error.remedy !== undefined) throw error;
    const path = place.kind === "folder" ? place.folder.path : place.beside.pathOf(place.member);
    const { code, reason, where = path } = error;
    throw new NextStepError(code, reason, { where, remedy: USUAL_REMEDY, cause: error });
  }
}

type FilePlace = Extract<Place, { readonly kind: "file" }>;

async function inspectFile(place: FilePlace, zlib: Pick<Zlib, "inflate">): Promise<Inspection> {
  const { beside, member } = place;
  const source = await beside.open(member);
  let head: Uint8Array;
  try {
    head = await source.read(0, Math.min(HEAD_BYTES, source.byteLength));
    if (isPng(head)) return await inspectPicture(source, zlib);
    if (isTar(head, member)) return await inspectTar(source);
  } finally {
    await source.close();
  }
  const text = new TextDecoder("latin1").decode(head);
  if (text.startsWith(ZIP_MAGIC))
    return inspectWeights("torch archive", await TorchArchive.read(await beside.open(member)));
  if (/^\s*\{/.test(text)) return inspectJson(place);
  if (text[SAFETENSORS_BRACE] === "{" || member.endsWith(".safetensors")) {
    return inspectWeights("safetensors", await SafetensorsFile.read(await beside.open(member)));
  }
  throw new ModelFormatError("is none of the formats that can be inspected", {
    where: source.name,
    remedy:
      "name a safetensors file, its index, a torch archive, a tar, a PNG, a config.json or a model folder",
  });
}

/** Old tars have no magic number; their name has to do. */
function isTar(head: Uint8Array, path: string): boolean {
  const magic = new TextDecoder("latin1").decode(head.subarray(TAR_MAGIC_OFFSET, TAR_MAGIC_OFFSET + 5));
  return magic === "ustar" || path.endsWith(".tar");
}

async function inspectFolder(files: FileFolder): Promise<Inspection> {
  if (!(await files.has(CONFIG_FILE))) {
    throw new ModelFormatError("has no config.json", {
      where: files.path,
      remedy: "name a model folder or a file",
    });
  }
  const json = await readJson(await files.open(CONFIG_FILE));
  if (isAutoencoderConfig(json)) {
    await using folder = await readAutoencoderFolder(files, releaseOfFolder);
    return describeAutoencoder(folder);
  }
  return inspectModel(files);
}

/** An autoencoder without a model around it is read by the newer published class. */
const releaseOfFolder: Release = "v1.1";

function isAutoencoderConfig(json: unknown): boolean {
  return isJsonObject(json) && AUTOENCODER_KEYS.some((key) => Object.hasOwn(json, key));
}

async function inspectModel(files: FileFolder): Promise<ModelInspection> {
  await using folder = await readModelFolder(files);
  const tensors = listNamed(folder.tensors);
  const problems: Problem[] = [...folder.problems];
  let tokenizer: ModelInspection["tokenizer"];
  try {
    const { size, bosToken } = await loadTokenizer(folder.files);
    tokenizer = { size, bosToken };
  } catch (error) {
    if (!(error instanceof NextStepError)) throw error;
    // Weights can be inspected, converted and trained from without one.
    problems.push({ kind: "tokenizer", subject: "tokenizer", detail: error.message, fatal: false });
  }
  return {
    kind: "model",
    path: files.path,
    release: folder.release,
    config: folder.config,
    hasImageModules: folder.hasImageModules,
    tokenizer,
    autoencoder: folder.autoencoder === undefined ? undefined : describeAutoencoder(folder.autoencoder),
    problems,
    tensors,
    parts: countParts(tensors),
    metadata: Object.fromEntries(folder.tensors.metadata),
  };
}

function describeAutoencoder(folder: AutoencoderFolder): AutoencoderInspection {
  const tensors = listNamed(folder.tensors);
  const { path, weightFile, config, problems } = folder;
  const metadata = Object.fromEntries(folder.tensors.metadata);
  return {
    kind: "autoencoder",
    path,
    weightFile,
    config,
    problems,
    tensors,
    parts: countParts(tensors),
    metadata,
  };
}

/** An index of shards, or a configuration. */
async function inspectJson({ beside, member }: FilePlace): Promise<WeightsInspection | ConfigInspection> {
  if (member.endsWith(".index.json")) return inspectIndex(beside, member);
  const path = beside.pathOf(member);
  const json = await readJson(await beside.open(member));
  if (isJsonObject(json) && Object.hasOwn(json, "weight_map")) return inspectIndex(beside, member);
  const of = isAutoencoderConfig(json) ? "autoencoder" : "model";
  const { config, unknownKeys } =
    of === "autoencoder" ? parseAutoencoderConfig(json, path) : parseNextStepConfig(json, path);
  return { kind: "config", path, of, config, problems: unknownKeyProblems(unknownKeys) };
}

async function inspectIndex(folder: FileFolder, index: string): Promise<WeightsInspection> {
  const source = await SafetensorsSet.open(folder, index);
  const problems = source.unlisted.map((subject) => ({
    kind: "extra" as const,
    subject,
    detail: "is in a shard, but the index does not place it there",
    fatal: false,
  }));
  return inspectWeights("safetensors index", source, problems);
}

async function inspectWeights(
  kind: WeightsInspection["kind"],
  source: TensorSource,
  problems: readonly Problem[] = [],
): Promise<WeightsInspection> {
  const tensors = listStored(source);
  const metadata = Object.fromEntries(source.metadata);
  await source.close();
  return { kind, path: source.name, tensors, parts: countParts(tensors), metadata, problems };
}

async function inspectTar(source: ByteSource): Promise<TarInspection> {
  const entries = await readTarIndex(source);
  const samples = groupTarSamples(entries);
  const extensions = new Map<string, number>();
  for (const { name } of entries) {
    const extension = /\.([^./]{1,16})$/.exec(name)?.[1]?.toLowerCase() ?? "";
    extensions.set(extension, (extensions.get(extension) ?? 0) + 1);
  }
  return {
    kind: "tar",
    path: source.name,
    members: entries.length,
    bytes: entries.reduce((sum, { size }) => sum + size, 0),
    extensions: Object.fromEntries([...extensions].sort(([, a], [, b]) => b - a)),
    samples: samples.length,
    pictures: samples.reduce((sum, { images }) => sum + images.length, 0),
    firstKeys: samples.slice(0, FIRST_KEYS).map(({ key }) => key),
  };
}

async function inspectPicture(source: ByteSource, zlib: Pick<Zlib, "inflate">): Promise<PictureInspection> {
  if (source.byteLength > MAX_PICTURE_BYTES) {
    throw new ModelFormatError(`${source.byteLength} bytes are too many for a picture`, {
      where: source.name,
    });
  }
  const bytes = await source.read(0, source.byteLength);
  const header = readPngChunks(bytes, source.name)[0]?.data ?? new Uint8Array(8);
  const size = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const texts = await readPngTexts(bytes, zlib, source.name);
  const parameters = findPngText(texts, PARAMETERS_KEYWORD);
  const recipe = findPngText(texts, RECIPE_KEYWORD);
  const packet = findPngText(texts, XMP_KEYWORD);
  return {
    kind: "png",
    path: source.name,
    width: size.getUint32(0),
    height: size.getUint32(4),
    parameters: parameters === undefined ? undefined : describeParameters(parameters),
    recipe: recipe === undefined ? undefined : parseRecipe(recipe, source.name),
    sourceType: packet === undefined ? undefined : readDigitalSourceType(packet),
    texts: texts.map(({ keyword }) => keyword),
  };
}

function describeParameters(text: string): PictureInspection["parameters"] {
  const { prompt, negativePrompt, settings } = parseParameters(text);
  return { prompt, negativePrompt, settings: Object.fromEntries(settings) };
}

function parseRecipe(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ModelFormatError(`its "${RECIPE_KEYWORD}" text is not JSON`, {
      where,
      cause,
      remedy: "the picture was changed by another program; its parameters text may still be whole",
    });
  }
}
